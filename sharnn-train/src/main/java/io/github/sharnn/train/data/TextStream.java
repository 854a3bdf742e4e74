package io.github.sharnn.train.data;

import java.io.InputStream;

/** A stream of a part's bytes. */
final class TextStream extends InputStream {

  private final TextRange text;
  private long position;

  TextStream(TextRange text) {
    this.text = text;
  }

  @Override
  public int read() {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
  }

  @Override
  public int read(byte[] target, int offset, int length) {
    int count = (int) Math.min(length, text.bytes() - position);
    if (count <= 0) {
      return length == 0 ? 0 : -1;
    }
    text.read(position, target, offset, count);
    position += count;
    return count;
  }
}
