package io.github.sharnn.tokenizers;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.util.Utils;
import com.google.common.base.Ascii;
import com.google.common.base.CharMatcher;
import com.google.common.base.Strings;
import com.google.common.hash.Hashing;
import com.google.common.primitives.Longs;
import com.google.gson.JsonObject;
import io.github.sharnn.engine.ContextLoader;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenDecoder;
import io.github.sharnn.vocabulary.TokenEncoder;
import io.github.sharnn.vocabulary.VocabularyFormat;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * A subword vocabulary from a Hugging Face {@code tokenizer.json}. {@link BytePairTrainer} trains
 * one on a text. Its files, and other byte-level BPE without added tokens, are encoded in Java.
 * DJL's {@link HuggingFaceTokenizer} encodes the others.
 *
 * <p>A file may come from anyone. Only components, fields and values that the native library is
 * known to survive are accepted.
 *
 * <p>Byte-level BPE without a normalizer, as in GPT-2, is lossless: decoding restores the text.
 * Bytes that are not UTF-8 become tokens of one byte each. Other tokenizers may lose text; for
 * them, bytes that are not UTF-8 become U+FFFD.
 *
 * <p>A text is encoded in pieces, without the special tokens of a post-processor. A piece begins at
 * a space after a character that is not white space. Usually no token of a lossless tokenizer
 * crosses such a place. The pieces then have the same tokens as the whole text. Other tokenizers
 * get pieces of 64 KiB that end at such a place, and their tokens at each border may differ from
 * those of the whole text.
 *
 * <p>Ids may have gaps. An id without a token stands for the empty text, because a model may sample
 * it.
 *
 * <p>The native library is the CPU build in DJL's jar; nothing is downloaded. Set the environment
 * variable {@code RUST_FLAVOR} to use another build.
 */
public final class SubwordVocabulary implements TextVocabulary {

  static final String KIND = "tokenizer";

  private static final String FLAVOR = "RUST_FLAVOR";
  private static final int CACHED_PIECES = 1 << 19;
  private static final int MOST_WAITING = 16; // tokens, far more than the 4 bytes of a character
  private static final int LONGEST_CACHED = 64; // characters; longer pieces are rare

  private static final Cleaner CLEANER = Cleaner.create();

  static {
    if (Utils.getEnvOrSystemProperty(FLAVOR) == null) {
      System.setProperty(FLAVOR, "cpu"); // on a GPU, DJL would try to download another build
    }
  }

  private final byte[] content;
  private final String sha256;
  private final TokenizerJson json;
  private final @Nullable BytePairEncoder bytePairs; // null for the native tokenizer
  private final @Nullable HuggingFaceTokenizer tokenizer; // null for bytePairs

  private SubwordVocabulary(byte[] content) throws IOException {
    this.content = content.clone();
    sha256 = Hashing.sha256().hashBytes(content).toString();
    JsonObject file = StrictJson.parse(content);
    json = TokenizerJson.read(file);
    JsonObject safe = SafeTokenizer.copy(file);
    bytePairs = BytePairEncoder.of(safe, json).orElse(null);
    tokenizer = bytePairs == null ? open(safe) : null;
    if (tokenizer != null) {
      CLEANER.register(this, tokenizer::close);
      for (String added : json.added()) {
        checkId(added);
      }
    }
  }

  private static HuggingFaceTokenizer open(JsonObject file) throws IOException {
    try {
      return ContextLoader.call(
          () ->
              HuggingFaceTokenizer.newInstance(
                  new ByteArrayInputStream(file.toString().getBytes(StandardCharsets.UTF_8)),
                  Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false")));
    } catch (RuntimeException e) { // the native library throws nothing more specific
      throw new IOException("this is no tokenizer.json: " + e.getMessage(), e);
    }
  }

  /** Checks the id of an added token. The native library numbers added tokens by itself. */
  private void checkId(String added) throws IOException {
    Encoding encoding = tokenizer.encode(added, false, false);
    if (encoding.getIds().length == 1
        && encoding.getTokens()[0].equals(added)
        && encoding.getIds()[0] != json.indices().get(added)) {
      throw new IOException(
          lenientFormat(
              "the added token '%s' has the id %s, but Hugging Face's tokenizers take %s: give an added"
                  + " token the id of its entry in the vocab, or else the next free id after the vocab's",
              added, json.indices().get(added), encoding.getIds()[0]));
    }
  }

  /**
   * {@return the vocabulary of a tokenizer}
   *
   * @param file a {@code tokenizer.json}
   * @throws IOException if the file can't be read or is no tokenizer
   */
  public static SubwordVocabulary open(Path file) throws IOException {
    try {
      return of(CheckedFolder.readAtMost(file, StrictJson.MAX_BYTES));
    } catch (FileSystemException e) { // its message already names the file
      throw e;
    } catch (IOException e) {
      throw new IOException(
          lenientFormat("can't read the tokenizer %s: %s", file, e.getMessage()), e);
    }
  }

  /**
   * {@return the vocabulary of a tokenizer}
   *
   * @param content the content of a {@code tokenizer.json}
   * @throws IOException if the content is no tokenizer
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
    return new TextPieces(
        json.cutsAtSpaces(),
        piece -> {
          if (known.size() >= CACHED_PIECES) {
            known.clear();
          }
          int[] encoded =
              piece.length() > LONGEST_CACHED
                  ? encodePiece(piece)
                  : known.computeIfAbsent(piece, this::encodePiece);
          IntStream.of(encoded).forEach(tokens);
        },
        lossless() ? other -> tokens.accept(json.byteTokens()[other]) : null);
  }

  private int[] encodePiece(String piece) {
    if (bytePairs != null) {
      return bytePairs.encode(piece);
    }
    try {
      return LongStream.of(tokenizer.encode(piece, false, false).getIds())
          .mapToInt(this::check)
          .toArray();
    } catch (RuntimeException e) { // the native library throws nothing more specific
      throw new IllegalArgumentException(
          lenientFormat(
              "the tokenizer has no tokens for '%s': %s; give it an unknown token that is in its vocab",
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
    return String.format(Locale.ROOT, "%,d subwords", size());
  }

  /** A decoder that decodes the last tokens with and without the next one, for the difference. */
  private final class Incremental implements TokenDecoder {

    private long[] shown = {}; // the last tokens whose text is complete
    private long[] waiting = {}; // the tokens after them

    @Override
    public byte[] decode(int token) {
      if (json.tokens()[check(token)] == null) {
        return new byte[0];
      }
      waiting = Longs.concat(waiting, new long[] {token});
      long[] all = Longs.concat(shown, waiting);
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

  /** The format {@code tokenizer.json} of a saved vocabulary. */
  public static final class Format implements VocabularyFormat {

    /** Creates the format, for ServiceLoader. */
    public Format() {}

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
