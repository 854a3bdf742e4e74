package io.github.sharnn.train;

import java.io.InputStream;

/** A part's text from its first byte on. */
final class PartStream extends InputStream {

  private final Corpus.Part part;
  private long position;

  PartStream(Corpus.Part part) {
    this.part = part;
  }

  @Override
  public int read() {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
  }

  @Override
  public int read(byte[] target, int offset, int length) {
    int count = (int) Math.min(length, part.bytes() - position);
    if (count <= 0) {
      return length == 0 ? 0 : -1;
    }
    part.readBytes(position, target, offset, count);
    position += count;
    return count;
  }
}
