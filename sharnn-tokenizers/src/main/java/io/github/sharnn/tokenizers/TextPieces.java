package io.github.sharnn.tokenizers;

import static com.google.common.base.Verify.verify;

import io.github.sharnn.vocabulary.TokenEncoder;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A splitter of bytes into pieces of text, which a tokenizer encodes one by one. The pieces do not
 * depend on the sizes of the writes. A piece begins at a space after a character that is not white
 * space. In usual tokenizers, no token crosses such a place. Bytes that are not UTF-8 separate
 * pieces.
 */
final class TextPieces implements TokenEncoder {

  /** The places where a piece may begin. */
  static final Pattern CUT = Pattern.compile("(?= )(?<=\\S)", Pattern.UNICODE_CHARACTER_CLASS);

  private static final int CHUNK_BYTES = 1 << 16; // enough to find a cut
  private static final int LONGEST_BYTES = 1 << 17; // if there is no cut

  private final boolean cutsAtSpaces;
  private final Consumer<String> pieces;
  private final @Nullable IntConsumer otherBytes;
  private final CharsetDecoder decoder;
  private final byte[] pending = new byte[LONGEST_BYTES];
  private int length;

  /** Cuts at spaces or only after 64 KiB. A null {@code otherBytes} replaces bytes by U+FFFD. */
  TextPieces(boolean cutsAtSpaces, Consumer<String> pieces, @Nullable IntConsumer otherBytes) {
    this.cutsAtSpaces = cutsAtSpaces;
    this.pieces = pieces;
    this.otherBytes = otherBytes;
    decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(
                otherBytes == null ? CodingErrorAction.REPLACE : CodingErrorAction.REPORT);
  }

  @Override
  public void write(byte[] text, int offset, int count) {
    for (int done = 0; done < count; ) {
      int next = length < CHUNK_BYTES ? CHUNK_BYTES : LONGEST_BYTES; // the length to cut at
      int some = Math.min(count - done, next - length);
      System.arraycopy(text, offset + done, pending, length, some);
      length += some;
      done += some;
      if (length == next) {
        handOn(lastCut());
      }
    }
  }

  @Override
  public void flush() {
    handOn(length);
  }

  @Override
  public long lostBytes() {
    return otherBytes == null ? -1 : 0;
  }

  /**
   * Returns the last place that has a space after another visible ASCII character. Without one,
   * returns 0, or the start of the last character if the buffer is full.
   */
  private int lastCut() {
    for (int at = length - 1; at > 0; at--) {
      if (pending[at] == ' ' && pending[at - 1] > ' ' && pending[at - 1] <= '~') {
        return at;
      }
    }
    if (length < LONGEST_BYTES) {
      return 0;
    }
    int at = length;
    while (at > length - 4 && (pending[at - 1] & 0xC0) == 0x80) {
      at--; // to the first byte of the last character
    }
    return at - 1;
  }

  private void handOn(int end) {
    ByteBuffer bytes = ByteBuffer.wrap(pending, 0, end);
    CharBuffer text = CharBuffer.allocate(end);
    while (bytes.hasRemaining()) {
      CoderResult result = decoder.reset().decode(bytes, text.clear(), true);
      verify(!result.isOverflow(), "%s bytes became more characters", end);
      text.flip();
      Stream.of(cutsAtSpaces ? CUT.split(text) : new String[] {text.toString()})
          .filter(piece -> !piece.isEmpty())
          .forEach(pieces);
      if (result.isError()) {
        for (int i = 0; i < result.length(); i++) {
          otherBytes.accept(Byte.toUnsignedInt(bytes.get()));
        }
      }
    }
    System.arraycopy(pending, end, pending, 0, length - end);
    length -= end;
  }
}
