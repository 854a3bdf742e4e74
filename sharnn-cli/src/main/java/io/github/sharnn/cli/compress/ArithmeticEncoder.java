package io.github.sharnn.cli.compress;

import java.io.ByteArrayOutputStream;

/**
 * An arithmetic coder of 32 bits, after Witten, Neal and Cleary (1987). Each symbol narrows an
 * interval to its share; the bits on which both ends of the interval agree are written. The code's
 * length in bits is the sum of -log2 of the symbols' shares, plus two.
 */
final class ArithmeticEncoder {

  static final long HALF = 1L << 31;
  static final long QUARTER = 1L << 30;
  static final long MAX = (1L << 32) - 1;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private long low;
  private long high = MAX;
  private long opposite; // number of bits to write after the next one, with the opposite value
  private int current;
  private int used; // bits of current

  /** Encodes a symbol by its share {@code [from, to)} of {@code [0, total)}, at most 2^30. */
  void encode(long from, long to, long total) {
    long range = high - low + 1;
    high = low + range * to / total - 1;
    low += range * from / total;
    while (true) {
      if (high < HALF) {
        write(0);
      } else if (low >= HALF) {
        write(1);
        low -= HALF;
        high -= HALF;
      } else if (low >= QUARTER && high < HALF + QUARTER) {
        opposite++;
        low -= QUARTER;
        high -= QUARTER;
      } else {
        return;
      }
      low <<= 1;
      high = high << 1 | 1;
    }
  }

  /** Ends the code and returns it. */
  byte[] finish() {
    opposite++;
    write(low < QUARTER ? 0 : 1);
    while (used > 0) {
      append(0);
    }
    return bytes.toByteArray();
  }

  private void write(int bit) {
    append(bit);
    for (; opposite > 0; opposite--) {
      append(1 - bit);
    }
  }

  private void append(int bit) {
    current = current << 1 | bit;
    if (++used == Byte.SIZE) {
      bytes.write(current);
      current = 0;
      used = 0;
    }
  }
}
