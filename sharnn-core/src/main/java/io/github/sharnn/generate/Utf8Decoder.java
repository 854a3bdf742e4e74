package io.github.sharnn.generate;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/**
 * A decoder of UTF-8 that hands out each character as soon as its last byte arrives. Malformed
 * bytes become U+FFFD, exactly as in {@code new String(bytes, UTF_8)}.
 */
final class Utf8Decoder implements SHARNNGenerator.ByteConsumer {

  private static final int LONGEST_CHARACTER = 4; // bytes

  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);
  private final ByteBuffer pending = ByteBuffer.allocate(LONGEST_CHARACTER);
  private final CharBuffer decoded = CharBuffer.allocate(2 * LONGEST_CHARACTER);

  private final Consumer<String> text;

  /** Sends pieces to {@code text}: never empty, and never ending in half a surrogate pair. */
  Utf8Decoder(Consumer<String> text) {
    this.text = text;
  }

  @Override
  public void accept(byte next) {
    pending.put(next);
    decode(false);
  }

  /** Replaces an incomplete last character. */
  void end() {
    decode(true);
  }

  private void decode(boolean end) {
    pending.flip();
    decoder.decode(pending, decoded, end);
    if (end) {
      decoder.flush(decoded);
    }
    pending.compact();
    String piece = decoded.flip().toString();
    decoded.clear();
    if (!piece.isEmpty()) {
      text.accept(piece);
    }
  }
}
