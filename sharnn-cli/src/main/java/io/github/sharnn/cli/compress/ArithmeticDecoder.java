package io.github.sharnn.cli.compress;

import static io.github.sharnn.cli.compress.ArithmeticEncoder.HALF;
import static io.github.sharnn.cli.compress.ArithmeticEncoder.MAX;
import static io.github.sharnn.cli.compress.ArithmeticEncoder.QUARTER;

import com.google.common.math.LongMath;
import java.io.EOFException;
import java.io.IOException;
import java.math.RoundingMode;

/** A decoder of what {@link ArithmeticEncoder} wrote, given the same shares. */
final class ArithmeticDecoder {

  private static final int AHEAD = 32; // bits that are read before they are needed
  private static final int END = 2; // bits that end a code

  private final byte[] bytes;
  private long next; // bit to read
  private long low;
  private long high = MAX;
  private long code;

  ArithmeticDecoder(byte[] bytes) throws IOException {
    this.bytes = bytes;
    for (int i = 0; i < AHEAD; i++) {
      code = code << 1 | read();
    }
  }

  /** Decodes a symbol; symbol s has the share {@code [cumulative[s], cumulative[s + 1])}. */
  int decode(long[] cumulative) throws IOException {
    long total = cumulative[cumulative.length - 1];
    long range = high - low + 1;
    long share = ((code - low + 1) * total - 1) / range;
    int symbol = 0;
    while (cumulative[symbol + 1] <= share) {
      symbol++;
    }
    high = low + range * cumulative[symbol + 1] / total - 1;
    low += range * cumulative[symbol] / total;
    while (true) {
      if (low >= HALF) {
        shift(HALF);
      } else if (low >= QUARTER && high < HALF + QUARTER) {
        shift(QUARTER);
      } else if (high < HALF) {
        shift(0);
      } else {
        return symbol;
      }
    }
  }

  /** Returns the number of bytes of the symbols decoded so far and the end of the code. */
  long length() {
    return LongMath.divide(next - AHEAD + END, Byte.SIZE, RoundingMode.CEILING);
  }

  private void shift(long less) throws IOException {
    low = low - less << 1;
    high = high - less << 1 | 1;
    code = code - less << 1 | read();
  }

  private int read() throws IOException {
    if (length() > bytes.length && next > AHEAD) {
      throw new EOFException("the code ends too early");
    }
    long at = next / Byte.SIZE;
    int shift = 7 - (int) (next % Byte.SIZE);
    next++;
    return at < bytes.length ? bytes[(int) at] >> shift & 1 : 0;
  }
}
