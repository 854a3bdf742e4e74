package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hashing;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
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

  private Corpus(Path origin, List<TextRange> texts) {
    this(origin, new Part(texts.get(0)), new Part(texts.get(1)), new Part(texts.get(2)));
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
    return new Corpus(file, CorpusSplit.byFractions(file, train, validation, test));
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
    return new Corpus(file, CorpusSplit.bySizes(file, train, validation, test));
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
    return new Corpus(file, CorpusSplit.enwik8(file));
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
    return new Corpus(folder, CorpusFolder.open(folder));
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
    String first = train.text.fileSha256();
    if (train.text.file() == test.text.file()) {
      return first;
    }
    String all = first + validation.text.fileSha256() + test.text.fileSha256();
    return Hashing.sha256().hashString(all, StandardCharsets.US_ASCII).toString();
  }

  /** Returns the identity of this corpus, for a checkpoint. */
  public CorpusRecord record() throws IOException {
    return new CorpusRecord(
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
            .formatted(origin, train.bytes(), validation.bytes(), test.bytes());
    return train.tokens == null
        ? bytes
        : "%s; as %s: %,d, %,d and %,d tokens"
            .formatted(bytes, vocabulary(), train.length(), validation.length(), test.length());
  }

  /** A contiguous range of the corpus, as bytes or as another vocabulary's tokens. */
  public static final class Part {

    private final TextRange text;
    private final TextVocabulary vocabulary;
    private final TokenFile tokens; // null: the bytes are the tokens
    private final long skipped; // tokens
    private Perplexity.Units units; // null: not counted yet

    private Part(TextRange text) {
      this(text, TextVocabulary.bytes(), null, 0);
    }

    private Part(TextRange text, TextVocabulary vocabulary, TokenFile tokens, long skipped) {
      this.text = text;
      this.vocabulary = vocabulary;
      this.tokens = tokens;
      this.skipped = skipped;
    }

    private Part encode(TextVocabulary other) throws IOException {
      return other == TextVocabulary.bytes()
          ? new Part(text)
          : new Part(text, other, TokenFile.of(text, other), 0);
    }

    /**
     * Returns the number of tokens: bytes, unless there is a vocabulary.
     *
     * @return the length
     */
    public long length() {
      return (tokens == null ? bytes() : tokens.units().tokens()) - skipped;
    }

    /**
     * Returns the number of bytes, whatever the vocabulary.
     *
     * @return the length of the text
     */
    public long bytes() {
      return text.bytes();
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
            tokens == null
                ? new Perplexity.Units(bytes(), bytes(), text.countWords(), 0)
                : tokens.units();
      }
      return units;
    }

    /**
     * Opens the text, to train a vocabulary on.
     *
     * @return its bytes, whatever the vocabulary
     */
    public InputStream open() {
      return new TextStream(text);
    }

    /**
     * Returns the end of this part.
     *
     * @param position where it begins, from 0 to the length
     * @return the tokens from there on
     */
    Part from(long position) {
      return new Part(text, vocabulary, tokens, skipped + position);
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
      checkRange(from >= 0 && first <= bytes() - target.length, "bytes", from, target.length);
      text.read(first, target, 0, target.length);
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
      byte[] bytes = new byte[target.length];
      read(from, bytes);
      Arrays.setAll(target, i -> Byte.toUnsignedInt(bytes[i]));
    }

    private void checkRange(boolean inside, String what, long from, int count) {
      checkArgument(
          inside,
          "%s %s from position %s are outside the %s part, which has %s",
          count,
          what,
          from,
          text.name(),
          tokens == null ? length() : "%s bytes and %s tokens".formatted(bytes(), length()));
    }

    @Override
    public String toString() {
      return text.toString();
    }
  }
}
