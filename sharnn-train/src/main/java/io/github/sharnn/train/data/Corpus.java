package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import com.google.common.hash.Hashing;
import com.google.common.primitives.ImmutableLongArray;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A text in three parts: training, validation and test. The parts are ranges of one file, or three
 * files. The files are memory-mapped, not loaded, and must not change while in use.
 *
 * <pre>{@code
 * Corpus corpus = Corpus.open(Path.of("book.txt"));      // 90% / 5% / 5%
 * Corpus enwik8 = Corpus.enwik8(Path.of("enwik8"));      // 90M / 5M / 5M bytes
 * Corpus ptb = Corpus.folder(Path.of("ptb"));            // ptb.train.txt, ptb.valid.txt, ...
 * Corpus log = Corpus.builder().file(file).documents(Documents.LINES).build();
 * }</pre>
 */
public final class Corpus {

  private final Path origin; // a file, or a folder of three
  private final @Nullable CorpusSources sources; // null unless from the builder
  private final Part train;
  private final Part validation;
  private final Part test;

  private Corpus(
      Path origin, @Nullable CorpusSources sources, Part train, Part validation, Part test) {
    this.origin = origin;
    this.sources = sources;
    this.train = train;
    this.validation = validation;
    this.test = test;
  }

  private Corpus(Path origin, List<TextRange> texts) {
    this(origin, null, texts);
  }

  private Corpus(Path origin, @Nullable CorpusSources sources, List<TextRange> texts) {
    this(origin, sources, new Part(texts.get(0)), new Part(texts.get(1)), new Part(texts.get(2)));
  }

  /** {@return a builder of a corpus from texts, files and streams, with or without documents} */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * {@return the corpus of a file, split into 90% training, 5% validation and 5% test}
   *
   * @param file the file
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the file is empty or too short to have three parts
   */
  public static Corpus open(Path file) throws IOException {
    return withFractions(file, 0.90, 0.05, 0.05);
  }

  /**
   * {@return a file split by fractions} The sizes of validation and test are rounded down to bytes;
   * training gets the rest.
   *
   * @param file the file
   * @param train fraction to train on
   * @param validation fraction to validate on
   * @param test fraction to test on; the three add up to 1
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the fractions are not positive or do not add up to 1, or
   *     the file is empty or too short
   */
  public static Corpus withFractions(Path file, double train, double validation, double test)
      throws IOException {
    return new Corpus(file, CorpusSplit.byFractions(file, train, validation, test));
  }

  /**
   * {@return a file split by sizes, from its start} Ignores the bytes after the three parts.
   *
   * @param file the file
   * @param train bytes to train on
   * @param validation bytes to validate on
   * @param test bytes to test on
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if a size is below 2 or the file is shorter than their sum
   */
  public static Corpus withSizes(Path file, long train, long validation, long test)
      throws IOException {
    return new Corpus(file, CorpusSplit.bySizes(file, train, validation, test));
  }

  /**
   * {@return enwik8 or text8, a file of exactly 100,000,000 bytes, in the usual split: 90M, 5M and
   * 5M bytes}
   *
   * @param file the file
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the file has another size
   */
  public static Corpus enwik8(Path file) throws IOException {
    return new Corpus(file, CorpusSplit.enwik8(file));
  }

  /**
   * {@return a folder with a file for each part, such as WikiText or Penn Treebank} The names are
   * {@code wiki.train.tokens}, {@code wiki.valid.tokens} and {@code wiki.test.tokens}, or the same
   * with {@code wiki.train.raw}, {@code ptb.train.txt} or {@code train.txt}.
   *
   * @param folder the folder with the three files
   * @throws IOException if the files are missing or can't be read, or if the folder has the files
   *     of two layouts
   * @throws IllegalArgumentException if a file has less than 2 bytes
   */
  public static Corpus folder(Path folder) throws IOException {
    return new Corpus(folder, CorpusFolder.open(folder));
  }

  /**
   * Encodes this corpus with a vocabulary. DJL's cache folder, {@code ~/.djl.ai/sharnn} or {@code
   * $DJL_CACHE_DIR/sharnn}, keeps the tokens, with 1, 2 or 4 bytes each. A hash of the corpus and
   * the vocabulary identifies the cached tokens. Each part is encoded by itself.
   *
   * <pre>{@code
   * Corpus bytes = Corpus.folder(Path.of("wikitext-103"));
   * Corpus words = bytes.withVocabulary(WordVocabulary.train(bytes.train().open(), 1, 267_735));
   * }</pre>
   *
   * @param vocabulary the vocabulary
   * @return a corpus whose parts are tokens
   * @throws IOException if the tokens can't be written, or the cache has a damaged file of them
   * @throws IllegalArgumentException if a part has less than 2 tokens
   */
  public Corpus withVocabulary(TextVocabulary vocabulary) throws IOException {
    return new Corpus(
        origin,
        sources,
        train.encode(vocabulary),
        validation.encode(vocabulary),
        test.encode(vocabulary));
  }

  /**
   * {@return this corpus with a share of its training part, for one of several workers} The shares
   * are contiguous, and their lengths differ by at most a byte, or by at most a document. Take the
   * share before {@link #withVocabulary}.
   *
   * @param index the share, from 0
   * @param count the number of shares, at least 1
   * @throws IllegalArgumentException if there is no such share, a share has less than 2 bytes, or
   *     this corpus has tokens
   */
  public Corpus share(int index, int count) {
    checkArgument(
        index >= 0 && index < count, "the share must be from 0 to %s, but is %s", count - 1, index);
    checkArgument(train.tokens == null, "take the share of a corpus before withVocabulary");
    long least = train.bytes() / count;
    checkArgument(
        least >= 2,
        "%s is too short for %s workers, which need 2 bytes each: use fewer workers or a longer corpus",
        train,
        count);
    long longer = train.bytes() % count; // shares with one more byte, the first ones
    TextRange text = train.text;
    if (text.ends() != null) {
      int documents = text.ends().length();
      int from = (int) ((long) index * documents / count);
      int to = (int) ((index + 1L) * documents / count);
      checkArgument(to > from, "%s has too few documents for %s workers", train, count);
      return new Corpus(origin, sources, new Part(text.documents(from, to)), validation, test);
    }
    long start = text.start() + index * least + Math.min(index, longer);
    long bytes = least + (index < longer ? 1 : 0);
    Part share = new Part(new TextRange(text.name(), text.file(), start, bytes, null));
    return new Corpus(origin, sources, share, validation, test);
  }

  /** {@return the vocabulary of the tokens; bytes unless {@link #withVocabulary} set another} */
  public TextVocabulary vocabulary() {
    return train.vocabulary;
  }

  /** {@return the part to train on} */
  public Part train() {
    return train;
  }

  /** {@return the part to validate on, for example for early stopping} */
  public Part validation() {
    return validation;
  }

  /** {@return the part to test on} */
  public Part test() {
    return test;
  }

  /**
   * Reads the whole corpus to identify it. DJL's cache folder keeps the result until the file's
   * size, modification time, inode or change time changes. Windows has no inode and no change time,
   * so there a file of the same size whose modification time was set back keeps its old hash.
   *
   * @return the SHA-256 of the file, in lower-case hexadecimal; for a folder or several files, the
   *     SHA-256 of the SHA-256 of the files
   * @throws IOException if a file can't be read
   */
  public String sha256() throws IOException {
    if (sources != null) {
      return sources.sha256();
    }
    String first = train.text.fileSha256();
    if (train.text.file() == test.text.file()) {
      return first;
    }
    String all = first + validation.text.fileSha256() + test.text.fileSha256();
    return Hashing.sha256().hashString(all, StandardCharsets.US_ASCII).toString();
  }

  /**
   * {@return the identity of this corpus, for a checkpoint}
   *
   * @throws IOException if a file can't be read to be hashed
   */
  public CorpusRecord record() throws IOException {
    return new CorpusRecord(
        origin.toAbsolutePath().toString(),
        train.bytes(),
        validation.bytes(),
        test.bytes(),
        sha256(),
        vocabulary() == TextVocabulary.bytes() ? null : vocabulary().property(),
        sources == null ? null : sources.layout(),
        sources == null ? null : sources.files());
  }

  /** Tells if this corpus is made of a file, which may be missing. */
  boolean reads(Path file) throws IOException {
    List<Path> all =
        sources == null
            ? Stream.of(train, validation, test).map(part -> part.text.file().path()).toList()
            : sources.paths();
    for (Path each : Files.exists(file) ? all : List.<Path>of()) {
      if (Files.isSameFile(each, file)) {
        return true;
      }
    }
    return false;
  }

  /** {@return the name of the corpus's first file or its folder, without its parents} */
  public String name() {
    String first = origin.toAbsolutePath().normalize().getFileName().toString();
    return sources == null || sources.count() == 1
        ? first
        : lenientFormat("%s and %s more", first, sources.count() - 1);
  }

  @Override
  public String toString() {
    String bytes =
        String.format(
            Locale.ROOT,
            "%s: training %,d, validation %,d, test %,d bytes",
            sources == null || sources.count() == 1 ? origin : name(),
            train.bytes(),
            validation.bytes(),
            test.bytes());
    if (train.documents() != null) {
      bytes +=
          String.format(
              Locale.ROOT,
              "; %,d, %,d and %,d documents",
              train.documents().length(),
              validation.documents().length(),
              test.documents().length());
    }
    return train.tokens == null
        ? bytes
        : String.format(
            Locale.ROOT,
            "%s; as %s: %,d, %,d and %,d tokens",
            bytes,
            vocabulary(),
            train.length(),
            validation.length(),
            test.length());
  }

  /**
   * A builder of a corpus from texts, files and streams.
   *
   * <pre>{@code
   * Corpus log =
   *     Corpus.builder()
   *         .file(Path.of("monday.log"))
   *         .file(Path.of("tuesday.log"))
   *         .documents(Documents.LINES)
   *         .split(Split.byHash(0.90, 0.05, 0.05))
   *         .build();
   * }</pre>
   *
   * <p>One file that is split by position stays where it is. Everything else is copied to temporary
   * files, which are deleted when the process ends. Documents take 8 bytes of memory each. Files
   * must not change while the corpus is in use.
   */
  public static final class Builder {

    private final List<List<CorpusSources.Source>> parts =
        List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    private @Nullable Spool texts; // null without a text or stream
    private Documents documents = Documents.NONE;
    private Split split = Split.DEFAULT;

    private Builder() {}

    /**
     * Adds a file to the training part, or to the corpus that is split.
     *
     * @param file the file, after those before
     * @return this builder
     * @throws IOException if the file is missing or can't be read
     * @throws IllegalArgumentException if the file is empty
     */
    public Builder file(Path file) throws IOException {
      parts.get(0).add(CorpusSources.Source.of(file));
      return this;
    }

    /**
     * Adds a text, as UTF-8, to the training part, or to the corpus that is split.
     *
     * @param text the text
     * @return this builder
     * @throws IOException if no temporary file can be written
     */
    public Builder text(String text) throws IOException {
      return stream(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Reads a stream to its end and adds the bytes to the training part, or to the corpus that is
     * split.
     *
     * @param stream the bytes; the caller closes it
     * @return this builder
     * @throws IOException if the stream can't be read, or no temporary file can be written
     */
    public Builder stream(InputStream stream) throws IOException {
      if (texts == null || texts.isMapped()) { // by an earlier build()
        texts = new Spool();
      }
      parts.get(0).add(CorpusSources.Source.of(stream, texts));
      return this;
    }

    /**
     * Adds a file to the validation part. The other files are then not split.
     *
     * @param file the file, after those before
     * @return this builder
     * @throws IOException if the file is missing or can't be read
     * @throws IllegalArgumentException if the file is empty
     */
    public Builder validation(Path file) throws IOException {
      parts.get(1).add(CorpusSources.Source.of(file));
      return this;
    }

    /**
     * Adds a file to the test part. The other files are then not split.
     *
     * @param file the file, after those before
     * @return this builder
     * @throws IOException if the file is missing or can't be read
     * @throws IllegalArgumentException if the file is empty
     */
    public Builder test(Path file) throws IOException {
      parts.get(2).add(CorpusSources.Source.of(file));
      return this;
    }

    /**
     * Adds the three files of a folder, named as in {@link Corpus#folder}, to their parts.
     *
     * @param folder the folder
     * @return this builder
     * @throws IOException if the files are missing or can't be read
     * @throws IllegalArgumentException if a file is empty
     */
    public Builder folder(Path folder) throws IOException {
      List<Path> files = CorpusFolder.files(folder);
      return file(files.get(0)).validation(files.get(1)).test(files.get(2));
    }

    /**
     * Sets the boundaries of documents. Default: {@link Documents#NONE}.
     *
     * @param boundaries such as {@link Documents#LINES}
     * @return this builder
     */
    public Builder documents(Documents boundaries) {
      documents = boundaries;
      return this;
    }

    /**
     * Sets the split, for a corpus without files for validation and test. Default: {@link
     * Split#DEFAULT}.
     *
     * @param division the fractions, and the rule that chooses the part of a document
     * @return this builder
     */
    public Builder split(Split division) {
      split = division;
      return this;
    }

    /**
     * {@return the corpus}
     *
     * @throws IOException if a file can't be read, or a temporary file can't be written
     * @throws IllegalArgumentException if there is no text, only one of the validation and test
     *     parts has a file, a split by documents has none, or a part has less than 2 bytes
     */
    public Corpus build() throws IOException {
      CorpusSources sources =
          new CorpusSources(parts.stream().map(List::copyOf).toList(), documents, split);
      return new Corpus(sources.origin(), sources, sources.texts());
    }
  }

  /** A part of a corpus: a contiguous text, as bytes or as tokens of another vocabulary. */
  public static final class Part {

    private final TextRange text;
    private final TextVocabulary vocabulary;
    private final @Nullable TokenFile tokens; // null: the bytes are the tokens
    private final long skipped; // tokens
    private Perplexity.@Nullable Units units; // null until counted

    private Part(TextRange text) {
      this(text, TextVocabulary.bytes(), null, 0);
    }

    private Part(
        TextRange text, TextVocabulary vocabulary, @Nullable TokenFile tokens, long skipped) {
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

    /** {@return the number of tokens} */
    public long length() {
      return (tokens == null ? bytes() : tokens.units().tokens()) - skipped;
    }

    /** {@return the number of bytes of the text} */
    public long bytes() {
      return text.bytes();
    }

    /** {@return the vocabulary of the tokens} */
    public TextVocabulary vocabulary() {
      return vocabulary;
    }

    /** {@return the number of bytes, tokens and words; the first call reads the text} */
    public synchronized Perplexity.Units units() {
      if (units == null) {
        units =
            tokens == null
                ? new Perplexity.Units(bytes(), bytes(), text.countWords(), 0)
                : tokens.units();
      }
      return units;
    }

    /** {@return a stream of the text's bytes, for example to train a vocabulary} */
    public InputStream open() {
      return text.open();
    }

    /** Returns the end of each document in tokens, or null without documents. */
    @Nullable ImmutableLongArray documents() {
      return tokens == null ? text.ends() : tokens.ends();
    }

    /**
     * {@return the number of tokens that a model predicts} The first token of a text without
     * documents only starts it.
     */
    public long predicted() {
      return documents() == null ? length() - 1 : length();
    }

    /** Returns this part from a position to the end. */
    Part from(long position) {
      return new Part(text, vocabulary, tokens, skipped + position);
    }

    /**
     * Copies bytes of the text.
     *
     * @param from position of the first byte in this part
     * @param target array to fill
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
     * @param target array to fill
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
          tokens == null ? length() : lenientFormat("%s bytes and %s tokens", bytes(), length()));
    }

    @Override
    public String toString() {
      return text.toString();
    }
  }
}
