package io.github.sharnn.generate;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/**
 * Turns bytes that arrive one by one into text, each character as soon as its last byte is there.
 * Malformed bytes become U+FFFD, exactly as in {@code new String(bytes, UTF_8)}.
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

  /** Hands out whole characters: pieces are never empty and never end in half a surrogate pair. */
  Utf8Decoder(Consumer<String> text) {
    this.text = text;
  }

  @Override
  public void accept(byte next) {
    pending.put(next);
    decode(false);
  }

  /** Hands out what an incomplete tail becomes, if there is one. */
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
