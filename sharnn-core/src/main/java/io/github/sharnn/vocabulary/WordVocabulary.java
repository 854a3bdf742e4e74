package io.github.sharnn.vocabulary;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;
import static java.util.Objects.requireNonNullElse;

import com.google.common.hash.Hashing;
import io.github.sharnn.io.CheckedFolder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/**
 * A vocabulary of the words between ASCII white space, and {@code <eos>} for each newline, as in
 * WikiText and Penn Treebank. An unknown word becomes {@code <unk>}.
 *
 * <pre>{@code
 * Corpus corpus = Corpus.folder(Path.of("wikitext-103"));
 * WordVocabulary words = WordVocabulary.train(corpus.train().open(), 1, Integer.MAX_VALUE);
 * }</pre>
 *
 * <p>Tokens are sorted by falling frequency, then by text, {@code <eos>} and {@code <unk>}
 * included. Decoding joins words with one space, so it does not restore every text. The last line
 * of a text ends with {@code <eos>} even if it has no newline. Malformed bytes become U+FFFD. The
 * file is {@code vocabulary.txt}, with one token per line in UTF-8.
 */
public final class WordVocabulary implements TextVocabulary {

  /** The token of an unknown word. */
  public static final String UNKNOWN = "<unk>";

  /** The token of a newline. */
  public static final String END_OF_LINE = "<eos>";

  static final String KIND = "words";

  private static final int CHUNK = 1 << 16; // bytes
  private static final byte[] BYTE_ORDER_MARK = "\uFEFF".getBytes(StandardCharsets.UTF_8);

  private final List<String> words;
  private final Map<String, Integer> indices = new HashMap<>();
  private final int unknown;
  private final int endOfLine;
  private final String sha256;

  private WordVocabulary(List<String> words) {
    this.words = List.copyOf(words);
    for (int i = 0; i < this.words.size(); i++) {
      String word = this.words.get(i);
      checkArgument(
          !word.isEmpty() && word.chars().noneMatch(WordCount::isSpace),
          "a word must not be empty or contain white space, but word %s is '%s'",
          i,
          word);
      checkArgument(
          StandardCharsets.UTF_8.newEncoder().canEncode(word),
          "a word must not have half a surrogate pair, but word %s has one",
          i);
      Integer before = indices.put(word, i);
      checkArgument(
          before == null, "words must differ, but words %s and %s are '%s'", before, i, word);
    }
    for (String needed : List.of(UNKNOWN, END_OF_LINE)) {
      checkArgument(
          indices.containsKey(needed),
          "a vocabulary of words must have %s and %s, but these %s lack %s: add it",
          UNKNOWN,
          END_OF_LINE,
          words.size(),
          needed);
    }
    unknown = indices.get(UNKNOWN);
    endOfLine = indices.get(END_OF_LINE);
    sha256 = Hashing.sha256().hashBytes(content()).toString();
  }

  /**
   * {@return a vocabulary of the given words}
   *
   * @param words the words in the order of their tokens, including {@code <unk>} and {@code <eos>}
   * @throws IllegalArgumentException if a word is empty, contains white space or occurs twice, or
   *     {@code <unk>} or {@code <eos>} is missing
   */
  public static WordVocabulary of(List<String> words) {
    return new WordVocabulary(words);
  }

  /**
   * {@return the vocabulary in a file}
   *
   * @param file one word a line in UTF-8 without a byte order mark, such as the {@code
   *     vocabulary.txt} of a model's folder; lines may end with CR LF
   * @throws IOException if the file can't be read or holds no vocabulary
   */
  public static WordVocabulary open(Path file) throws IOException {
    try {
      byte[] content = CheckedFolder.readAtMost(file, SavedVocabulary.MAX_BYTES);
      if (Arrays.equals(Arrays.copyOf(content, 3), BYTE_ORDER_MARK)) {
        throw new IOException(
            "it begins with a byte order mark, which would be part of the first word: save it as"
                + " UTF-8 without one");
      }
      return read(content);
    } catch (FileSystemException e) { // its message already names the file
      throw e;
    } catch (IOException e) {
      throw new IOException(
          lenientFormat("can't read the words in %s: %s", file, e.getMessage()), e);
    }
  }

  private static WordVocabulary read(byte[] content) throws IOException {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
      return new WordVocabulary(Arrays.asList(text.split("\r?\n")));
    } catch (CharacterCodingException e) {
      throw new IOException(
          "a vocabulary must be one word a line in UTF-8, but this is not UTF-8", e);
    } catch (IllegalArgumentException e) {
      throw new IOException("not a vocabulary of one word a line: " + e.getMessage(), e);
    }
  }

  /**
   * Builds a vocabulary from the words of a text, which should be the training part alone.
   *
   * @param text read to the end and closed
   * @param minimumCount the minimum number of occurrences of a word, at least 1
   * @param maximumSize the maximum number of tokens, at least 2: {@code <unk>}, {@code <eos>} and
   *     the most frequent words
   * @return the vocabulary
   * @throws IOException if the text can't be read
   * @throws IllegalArgumentException if a number is below its minimum, or the text has no words
   */
  public static WordVocabulary train(InputStream text, int minimumCount, int maximumSize)
      throws IOException {
    checkArgument(minimumCount >= 1, "minimumCount must be at least 1, but is %s", minimumCount);
    checkArgument(
        maximumSize >= 2,
        "maximumSize must be at least 2, for %s and %s, but is %s",
        UNKNOWN,
        END_OF_LINE,
        maximumSize);
    Map<String, long[]> counts = new HashMap<>();
    Consumer<String> counter = word -> counts.computeIfAbsent(word, none -> new long[1])[0]++;
    WordScanner scanner = new WordScanner(counter, () -> counter.accept(END_OF_LINE));
    try (text) {
      for (byte[] some = text.readNBytes(CHUNK); some.length > 0; some = text.readNBytes(CHUNK)) {
        scanner.write(some, 0, some.length);
      }
    }
    scanner.end();
    checkArgument(!counts.isEmpty(), "the text must have at least one word, but has none");
    long[] endOfLine = requireNonNullElse(counts.remove(END_OF_LINE), new long[1]);
    long[] unknown = requireNonNullElse(counts.remove(UNKNOWN), new long[1]);
    Comparator<Map.Entry<String, long[]>> order =
        Comparator.<Map.Entry<String, long[]>>comparingLong(e -> -e.getValue()[0])
            .thenComparing(Map.Entry::getKey);
    List<Map.Entry<String, long[]>> kept = new ArrayList<>();
    for (Map.Entry<String, long[]> entry : counts.entrySet().stream().sorted(order).toList()) {
      if (entry.getValue()[0] >= minimumCount && kept.size() < maximumSize - 2) {
        kept.add(entry);
      } else {
        unknown[0] += entry.getValue()[0];
      }
    }
    kept.add(Map.entry(END_OF_LINE, endOfLine));
    kept.add(Map.entry(UNKNOWN, unknown));
    return new WordVocabulary(kept.stream().sorted(order).map(Map.Entry::getKey).toList());
  }

  @Override
  public String kind() {
    return KIND;
  }

  @Override
  public boolean lossless() {
    return false;
  }

  @Override
  public TokenEncoder encoder(IntConsumer tokens) {
    return new WordScanner(
        word -> tokens.accept(indices.getOrDefault(word, unknown)),
        () -> tokens.accept(endOfLine)) {
      @Override
      boolean isRestored(String word) {
        return indices.containsKey(word) && !word.equals(END_OF_LINE);
      }
    };
  }

  @Override
  public TokenDecoder decoder() {
    return new TokenDecoder() {
      private boolean inLine;

      @Override
      public byte[] decode(int token) {
        String word = getToken(token);
        if (token == endOfLine) {
          inLine = false;
          return new byte[] {'\n'};
        }
        String text = inLine ? " " + word : word;
        inLine = true;
        return text.getBytes(StandardCharsets.UTF_8);
      }
    };
  }

  @Override
  public byte[] content() {
    return (String.join("\n", words) + "\n").getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public String sha256() {
    return sha256;
  }

  @Override
  public String getToken(long index) {
    checkArgument(
        index >= 0 && index < words.size(),
        "a token must be from 0 to %s, but is %s",
        words.size() - 1,
        index);
    return words.get((int) index);
  }

  @Override
  public boolean contains(String token) {
    return indices.containsKey(token);
  }

  /** Returns the token of a word, or of {@code <unk>} for an unknown word. */
  @Override
  public long getIndex(String token) {
    return indices.getOrDefault(token, unknown);
  }

  @Override
  public long size() {
    return words.size();
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%,d words", words.size());
  }

  /** The format of {@code vocabulary.txt}. */
  public static final class Format implements VocabularyFormat {

    /** Creates the format, for {@code ServiceLoader}. */
    public Format() {}

    @Override
    public String kind() {
      return KIND;
    }

    @Override
    public String fileName() {
      return "vocabulary.txt";
    }

    @Override
    public TextVocabulary read(byte[] content) throws IOException {
      return WordVocabulary.read(content);
    }
  }
}
