package io.github.sharnn.tokenizers;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.util.Utils;
import com.google.common.base.Ascii;
import com.google.common.base.CharMatcher;
import com.google.common.base.Strings;
import com.google.common.hash.Hashing;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenDecoder;
import io.github.sharnn.vocabulary.TokenEncoder;
import io.github.sharnn.vocabulary.VocabularyFormat;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.stream.LongStream;

/**
 * Any Hugging Face {@code tokenizer.json}, through DJL's {@link HuggingFaceTokenizer}.
 *
 * <p>Byte-level BPE without a normalizer, as {@link BytePairTrainer} makes it and GPT-2 has it,
 * promises the same text back, also of bytes that are not UTF-8: those are tokens of one byte each.
 * Other tokenizers do not promise it, and to them such bytes are U+FFFD.
 *
 * <p>A text is encoded in pieces, each for itself, without the special tokens of a post-processor.
 * To byte-level BPE without a token that goes on across a space after something else than white
 * space, as is usual, a piece begins with such a space, which gives what encoding the whole text
 * gives. Other tokenizers get pieces of 64 KiB, up to their last such space: shorter texts have the
 * tokens of the whole, longer ones may have other tokens at each border.
 *
 * <p>Ids may have gaps. One without a token stands for no text, in case that a model draws it.
 *
 * <p>DJL's native library comes from its jar, the build for the CPU, and is unpacked into DJL's
 * cache folder; nothing is downloaded. The environment variable {@code RUST_FLAVOR} takes another.
 */
public final class SubwordVocabulary implements TextVocabulary {

  static final String KIND = "tokenizer";

  private static final String FLAVOR = "RUST_FLAVOR";
  private static final int CACHED_PIECES = 1 << 19;
  private static final int MOST_WAITING = 16; // tokens; the longest character takes 4 bytes
  private static final int LONGEST_CACHED = 64; // characters; longer ones hardly come again

  static {
    if (Utils.getEnvOrSystemProperty(FLAVOR) == null) {
      System.setProperty(FLAVOR, "cpu"); // with a GPU it would look for one to download
    }
  }

  private final byte[] content;
  private final String sha256;
  private final HuggingFaceTokenizer tokenizer;
  private final TokenizerJson json;

  private SubwordVocabulary(byte[] content) throws IOException {
    this.content = content.clone();
    sha256 = Hashing.sha256().hashBytes(content).toString();
    json = TokenizerJson.read(content);
    try {
      tokenizer =
          HuggingFaceTokenizer.newInstance(
              new ByteArrayInputStream(content),
              Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false"));
    } catch (RuntimeException e) { // the native library has one for all
      throw new IOException("this is no tokenizer.json: " + e.getMessage(), e);
    }
    for (String added : json.added()) {
      checkId(added);
    }
  }

  /** The native library gives added tokens ids by their order, whatever the file says. */
  private void checkId(String added) throws IOException {
    Encoding encoding = tokenizer.encode(added, false, false);
    if (encoding.getIds().length == 1
        && encoding.getTokens()[0].equals(added)
        && encoding.getIds()[0] != json.indices().get(added)) {
      throw new IOException(
          "the added token '%s' has the id %s, but Hugging Face's tokenizers take %s: give added tokens"
                  .formatted(added, json.indices().get(added), encoding.getIds()[0])
              + " the ids of their entries in the vocab, or those that follow the vocab's, in order");
    }
  }

  /**
   * Reads a tokenizer.
   *
   * @param file a {@code tokenizer.json}
   * @return the vocabulary
   * @throws IOException if the file can't be read or is none
   */
  public static SubwordVocabulary open(Path file) throws IOException {
    try {
      return of(Files.readAllBytes(file));
    } catch (FileSystemException e) { // it names the file
      throw e;
    } catch (IOException e) {
      throw new IOException("can't read the tokenizer %s: %s".formatted(file, e.getMessage()), e);
    }
  }

  /**
   * Reads a tokenizer.
   *
   * @param content what a {@code tokenizer.json} holds
   * @return the vocabulary
   * @throws IOException if it is none
   */
  public static SubwordVocabulary of(byte[] content) throws IOException {
    return new SubwordVocabulary(content);
  }

  @Override
  public String kind() {
    return KIND;
  }

  @Override
  public boolean lossless() {
    return json.bytes() != null;
  }

  @Override
  public TokenEncoder encoder(IntConsumer tokens) {
    Map<String, int[]> known = new HashMap<>();
    TextPieces pieces =
        new TextPieces(
            json.cutsAtSpaces(),
            piece -> {
              if (known.size() >= CACHED_PIECES) {
                known.clear();
              }
              int[] encoded =
                  piece.length() > LONGEST_CACHED
                      ? encodePiece(piece)
                      : known.computeIfAbsent(piece, this::encodePiece);
              for (int token : encoded) {
                tokens.accept(token);
              }
            },
            lossless() ? other -> tokens.accept(json.byteTokens()[other]) : null);
    return new TokenEncoder() {
      @Override
      public void write(byte[] text, int offset, int length) {
        pieces.write(text, offset, length);
      }

      @Override
      public void flush() {
        pieces.flush();
      }

      @Override
      public void end() {
        pieces.flush();
      }

      @Override
      public long lostBytes() {
        return lossless() ? 0 : -1;
      }
    };
  }

  private int[] encodePiece(String piece) {
    try {
      return LongStream.of(tokenizer.encode(piece, false, false).getIds())
          .mapToInt(this::check)
          .toArray();
    } catch (RuntimeException e) { // the native library has one for all
      throw new IllegalArgumentException(
          "the tokenizer has no tokens for '%s': %s; give it an unknown token that is in its vocab"
              .formatted(
                  CharMatcher.whitespace()
                      .collapseFrom(Ascii.truncate(piece, LONGEST_CACHED, "..."), ' '),
                  e.getMessage()),
          e);
    }
  }

  @Override
  public TokenDecoder decoder() {
    return lossless() ? token -> json.bytes()[check(token)].clone() : new Incremental();
  }

  private int check(long token) {
    checkArgument(
        token >= 0 && token < size(),
        "the tokenizer's tokens are from 0 to %s, not %s",
        size() - 1,
        token);
    return (int) token;
  }

  @Override
  public byte[] content() {
    return content.clone();
  }

  @Override
  public String sha256() {
    return sha256;
  }

  @Override
  public String getToken(long index) {
    return Strings.nullToEmpty(json.tokens()[check(index)]);
  }

  @Override
  public boolean contains(String token) {
    return json.indices().containsKey(token);
  }

  @Override
  public long getIndex(String token) {
    Integer index = json.indices().get(token);
    checkArgument(index != null, "the tokenizer has no token '%s'", token);
    return index;
  }

  @Override
  public long size() {
    return json.tokens().length;
  }

  @Override
  public String toString() {
    return "%,d subwords".formatted(size());
  }

  /** Decodes by what a few tokens are together less what they are without the last. */
  private final class Incremental implements TokenDecoder {

    private long[] shown = {}; // the last tokens whose text is complete
    private long[] waiting = {}; // and those whose text is not

    @Override
    public byte[] decode(int token) {
      if (json.tokens()[check(token)] == null) {
        return new byte[0];
      }
      waiting = LongStream.concat(LongStream.of(waiting), LongStream.of(token)).toArray();
      long[] all = LongStream.concat(LongStream.of(shown), LongStream.of(waiting)).toArray();
      String before = shown.length == 0 ? "" : tokenizer.decode(shown, false);
      String now = tokenizer.decode(all, false);
      boolean whole = now.length() > before.length() && !now.endsWith("\uFFFD");
      if (!whole && waiting.length < MOST_WAITING) {
        return new byte[0];
      }
      shown = waiting;
      waiting = new long[0];
      return now.substring(Math.min(before.length(), now.length()))
          .getBytes(StandardCharsets.UTF_8);
    }
  }

  /** Reads {@code tokenizer.json}. */
  public static final class Format implements VocabularyFormat {

    /** Creates the format. */
    public Format() {
      // for ServiceLoader
    }

    @Override
    public String kind() {
      return KIND;
    }

    @Override
    public String fileName() {
      return "tokenizer.json";
    }

    @Override
    public TextVocabulary read(byte[] content) throws IOException {
      return of(content);
    }
  }
}
