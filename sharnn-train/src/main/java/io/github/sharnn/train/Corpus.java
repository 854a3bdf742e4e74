package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hashing;
import com.google.common.math.LongMath;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.WordCount;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A text in three parts: training, validation, test. They are ranges of one file's bytes or three
 * files, read through memory and never loaded whole, which must not change while they are in use.
 *
 * <pre>{@code
 * Corpus corpus = Corpus.open(Path.of("book.txt"));      // 90% / 5% / 5%
 * Corpus enwik8 = Corpus.enwik8(Path.of("enwik8"));      // 90M / 5M / 5M bytes
 * Corpus ptb = Corpus.folder(Path.of("ptb"));            // ptb.train.txt, ptb.valid.txt, ...
 * }</pre>
 */
public final class Corpus {

  private static final long ENWIK8_BYTES = 100_000_000;

  private final Path origin; // a file, or a folder of three
  private final Part train;
  private final Part validation;
  private final Part test;

  private Corpus(Path origin, Part train, Part validation, Part test) {
    this.origin = origin;
    this.train = train;
    this.validation = validation;
    this.test = test;
  }

  /**
   * Opens a file as 90% training, 5% validation and 5% test.
   *
   * @param file the file
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the file is empty or too short to have three parts
   */
  public static Corpus open(Path file) throws IOException {
    return withFractions(file, 0.90, 0.05, 0.05);
  }

  /**
   * Opens a file split by fractions. Validation and test are rounded down to bytes; what rounding
   * leaves goes to training.
   *
   * @param file the file
   * @param train fraction to train on
   * @param validation fraction to validate on
   * @param test fraction to test on; the three add up to 1
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the fractions are not positive or do not add up to 1, or
   *     the file is empty or too short
   */
  public static Corpus withFractions(Path file, double train, double validation, double test)
      throws IOException {
    checkArgument(
        train > 0 && validation > 0 && test > 0 && Math.abs(train + validation + test - 1) < 1e-9,
        "the fractions of training, validation and test must be positive and add up to 1, but are %s,"
            + " %s and %s",
        train,
        validation,
        test);
    long length = MappedFile.length(file);
    long validationBytes = (long) (length * validation);
    long testBytes = (long) (length * test);
    return map(file, length, length - validationBytes - testBytes, validationBytes, testBytes);
  }

  /**
   * Opens a file split by sizes from its start; bytes past the three parts are left out.
   *
   * @param file the file
   * @param train bytes to train on
   * @param validation bytes to validate on
   * @param test bytes to test on
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if a size is below 2 or the file is shorter than their sum
   */
  public static Corpus withSizes(Path file, long train, long validation, long test)
      throws IOException {
    long length = MappedFile.length(file);
    checkParts(file, length, train, validation, test);
    long needed = LongMath.saturatedAdd(LongMath.saturatedAdd(train, validation), test);
    checkArgument(
        length >= needed,
        "%s must have at least %s bytes (training %s + validation %s + test %s), but has %s",
        file,
        needed,
        train,
        validation,
        test,
        length);
    return map(file, length, train, validation, test);
  }

  /**
   * Opens a file of exactly 100,000,000 bytes, enwik8 or text8, split as is usual: 90M, 5M and 5M.
   *
   * @param file the file
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the file has another size
   */
  public static Corpus enwik8(Path file) throws IOException {
    long length = MappedFile.length(file);
    checkArgument(
        length == ENWIK8_BYTES,
        "enwik8 has exactly %s bytes, but %s has %s; open another file with fractions or sizes",
        ENWIK8_BYTES,
        file,
        length);
    return withSizes(file, 90_000_000, 5_000_000, 5_000_000);
  }

  private static void checkParts(Path file, long length, long train, long validation, long test) {
    checkArgument(
        train >= 2 && validation >= 2 && test >= 2,
        "each part of a corpus needs at least 2 bytes, one to read and one to predict, but %s with %s"
            + " bytes gives %s to training, %s to validation and %s to test",
        file,
        length,
        train,
        validation,
        test);
  }

  private static Corpus map(Path file, long length, long train, long validation, long test)
      throws IOException {
    checkParts(file, length, train, validation, test);
    MappedFile mapped = MappedFile.open(file);
    return new Corpus(
        file,
        new Part("training", mapped, 0, train),
        new Part("validation", mapped, train, validation),
        new Part("test", mapped, train + validation, test));
  }

  /**
   * Opens a folder with a file for each part, as WikiText and Penn Treebank come: {@code
   * wiki.train.tokens}, {@code wiki.valid.tokens} and {@code wiki.test.tokens}, or {@code
   * ptb.train.txt} and so on, {@code wiki.train.raw}, {@code train.txt}.
   *
   * @param folder has the three files of one of these layouts
   * @return the corpus
   * @throws IOException if the files are not there or can't be read, or the folder has the files of
   *     two layouts
   * @throws IllegalArgumentException if a file has less than 2 bytes
   */
  public static Corpus folder(Path folder) throws IOException {
    List<Path> files = CorpusFolder.files(folder);
    List<Part> parts = new ArrayList<>();
    for (Path file : files) {
      long length = MappedFile.length(file);
      checkArgument(
          length >= 2, "each part of a corpus needs at least 2 bytes, but %s has %s", file, length);
      String name = List.of("training", "validation", "test").get(parts.size());
      parts.add(new Part(name, MappedFile.open(file), 0, length));
    }
    return new Corpus(folder, parts.get(0), parts.get(1), parts.get(2));
  }

  /**
   * Returns this corpus as tokens of a vocabulary. They are written once, 1, 2 or 4 bytes each,
   * into DJL's cache folder, {@code ~/.djl.ai/sharnn} or under {@code DJL_CACHE_DIR}, and found
   * there again by the contents of the corpus and the vocabulary. Each part is encoded for itself.
   *
   * <pre>{@code
   * Corpus bytes = Corpus.folder(Path.of("wikitext-103"));
   * Corpus words = bytes.withVocabulary(WordVocabulary.train(bytes.train().open(), 1, 267_735));
   * }</pre>
   *
   * @param vocabulary the tokens
   * @return a corpus whose parts are tokens
   * @throws IOException if the tokens can't be written, or the file that should hold them is
   *     another one
   * @throws IllegalArgumentException if a part has less than 2 tokens
   */
  public Corpus withVocabulary(TextVocabulary vocabulary) throws IOException {
    return new Corpus(
        origin, train.encode(vocabulary), validation.encode(vocabulary), test.encode(vocabulary));
  }

  /**
   * Returns what the parts' tokens stand for.
   *
   * @return the vocabulary, bytes unless {@link #withVocabulary} gave another
   */
  public TextVocabulary vocabulary() {
    return train.vocabulary;
  }

  /**
   * Returns the part to train on.
   *
   * @return the first part
   */
  public Part train() {
    return train;
  }

  /**
   * Returns the part to validate on.
   *
   * @return the second part
   */
  public Part validation() {
    return validation;
  }

  /**
   * Returns the part to test on.
   *
   * @return the third part
   */
  public Part test() {
    return test;
  }

  /**
   * Reads the whole corpus once to identify it. The result is kept in DJL's cache folder, {@code
   * ~/.djl.ai/sharnn} or under {@code DJL_CACHE_DIR}, for as long as the file's size and time of
   * change stay.
   *
   * @return the SHA-256 of the file in lower-case hexadecimal; of a folder, that of its files'
   * @throws IOException if a file can't be read
   */
  public String sha256() throws IOException {
    if (train.file == test.file) {
      return train.fileSha256();
    }
    String all = train.fileSha256() + validation.fileSha256() + test.fileSha256();
    return Hashing.sha256().hashString(all, StandardCharsets.US_ASCII).toString();
  }

  /** Describes this corpus for a checkpoint. */
  TrainingRecord.CorpusRecord record() throws IOException {
    return new TrainingRecord.CorpusRecord(
        origin.toAbsolutePath().toString(),
        train.bytes(),
        validation.bytes(),
        test.bytes(),
        sha256(),
        vocabulary() == TextVocabulary.bytes() ? null : vocabulary().property());
  }

  @Override
  public String toString() {
    String bytes =
        "%s: training %,d, validation %,d, test %,d bytes"
            .formatted(origin, train.bytes, validation.bytes, test.bytes);
    return train.tokens == null
        ? bytes
        : "%s; as %s: %,d, %,d and %,d tokens"
            .formatted(bytes, vocabulary(), train.length(), validation.length(), test.length());
  }

  /** A contiguous range of the corpus, as bytes or as another vocabulary's tokens. */
  public static final class Part {

    private final String name;
    private final MappedFile file;
    private final long start;
    private final long bytes;
    private final TextVocabulary vocabulary;
    private final TokenFile tokens; // null: the bytes are the tokens
    private final long skipped; // tokens
    private Perplexity.Units units; // null: not counted yet

    private Part(String name, MappedFile file, long start, long bytes) {
      this(name, file, start, bytes, TextVocabulary.bytes(), null, 0);
    }

    private Part(
        String name,
        MappedFile file,
        long start,
        long bytes,
        TextVocabulary vocabulary,
        TokenFile tokens,
        long skipped) {
      this.name = name;
      this.file = file;
      this.start = start;
      this.bytes = bytes;
      this.vocabulary = vocabulary;
      this.tokens = tokens;
      this.skipped = skipped;
    }

    private Part encode(TextVocabulary other) throws IOException {
      if (other == TextVocabulary.bytes()) {
        return new Part(name, file, start, bytes);
      }
      Part encoded = new Part(name, file, start, bytes, other, TokenFile.of(this, other), 0);
      checkArgument(
          encoded.length() >= 2,
          "each part of a corpus needs at least 2 tokens, one to read and one to predict, but as %s"
              + " the %s yields %s: use a longer corpus or another vocabulary",
          other,
          this,
          encoded.length());
      return encoded;
    }

    /**
     * Returns the number of tokens: bytes, unless there is a vocabulary.
     *
     * @return the length
     */
    public long length() {
      return (tokens == null ? bytes : tokens.units().tokens()) - skipped;
    }

    /**
     * Returns the number of bytes, whatever the vocabulary.
     *
     * @return the length of the text
     */
    public long bytes() {
      return bytes;
    }

    /**
     * Returns what the tokens stand for.
     *
     * @return the vocabulary
     */
    public TextVocabulary vocabulary() {
      return vocabulary;
    }

    /**
     * Counts the text's units; that takes a pass over it, once.
     *
     * @return bytes, tokens and words
     */
    public synchronized Perplexity.Units units() {
      if (units == null) {
        units =
            tokens == null ? new Perplexity.Units(bytes, bytes, countWords(), 0) : tokens.units();
      }
      return units;
    }

    private long countWords() {
      WordCount words = new WordCount();
      byte[] chunk = new byte[1 << 16];
      for (long from = 0; from < bytes; from += chunk.length) {
        int count = (int) Math.min(chunk.length, bytes - from);
        readBytes(from, chunk, 0, count);
        words.write(chunk, 0, count);
      }
      return words.words();
    }

    /**
     * Opens the text, to train a vocabulary on.
     *
     * @return its bytes, whatever the vocabulary
     */
    public InputStream open() {
      return new PartStream(this);
    }

    /**
     * Returns the end of this part.
     *
     * @param position where it begins, from 0 to the length
     * @return the tokens from there on
     */
    Part from(long position) {
      return new Part(name, file, start, bytes, vocabulary, tokens, skipped + position);
    }

    /**
     * Copies bytes of the text, whatever the vocabulary.
     *
     * @param from position of the first byte in this part
     * @param target where they go, filled whole
     * @throws IllegalArgumentException if the range leaves this part
     */
    public void read(long from, byte[] target) {
      long first = tokens == null ? skipped + from : from;
      checkRange(from >= 0 && first <= bytes - target.length, "bytes", from, target.length);
      file.read(start + first, target, 0, target.length);
    }

    /**
     * Copies tokens.
     *
     * @param from position of the first token in this part
     * @param target where they go, filled whole
     * @throws IllegalArgumentException if the range leaves this part
     */
    public void read(long from, int[] target) {
      checkRange(from >= 0 && from <= length() - target.length, "tokens", from, target.length);
      if (tokens != null) {
        tokens.read(skipped + from, target);
        return;
      }
      byte[] text = new byte[target.length];
      read(from, text);
      Arrays.setAll(target, i -> Byte.toUnsignedInt(text[i]));
    }

    private void checkRange(boolean inside, String what, long from, int count) {
      checkArgument(
          inside,
          "%s %s from position %s are outside the %s part, which has %s",
          count,
          what,
          from,
          name,
          tokens == null ? bytes - skipped : "%s bytes and %s tokens".formatted(bytes, length()));
    }

    /** Copies bytes of the text that lie within it. */
    void readBytes(long from, byte[] target, int offset, int count) {
      file.read(start + from, target, offset, count);
    }

    String fileSha256() throws IOException {
      return CorpusHash.of(file.path());
    }

    long start() {
      return start;
    }

    @Override
    public String toString() {
      return "%s part of %s (%,d bytes)".formatted(name, file.path(), bytes);
    }
  }
}
