package io.github.sharnn.cli.compress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.EOFException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArithmeticCoderTest {

  /** From near-uniform to so sharp that all but one byte have the least share. */
  private static float[] logits(Random random, int size) {
    double scale = Math.pow(10, 3 * random.nextDouble() - 1);
    float[] logits = new float[size];
    for (int i = 0; i < size; i++) {
      logits[i] = (float) (scale * random.nextGaussian());
    }
    return logits;
  }

  /** Mostly the likely symbols, sometimes any. */
  private static int symbol(Random random, long[] cumulative) {
    int size = cumulative.length - 1;
    if (random.nextInt(20) == 0) {
      return random.nextInt(size);
    }
    long share = random.nextLong(cumulative[size]);
    int found = Arrays.binarySearch(cumulative, share);
    return found >= 0 ? found : -found - 2;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 10, 5_000})
  void decodes_what_was_encoded_at_the_shares_cost(int count) throws Exception {
    for (int seed = 0; seed < 20; seed++) {
      Random random = new Random(seed);
      int size = 2 + random.nextInt(255);
      ArithmeticEncoder encoder = new ArithmeticEncoder();
      long[][] shares = new long[count][];
      int[] symbols = new int[count];
      double bits = 0;
      for (int i = 0; i < count; i++) {
        shares[i] = TokenFrequencies.cumulative(logits(random, size));
        symbols[i] = symbol(random, shares[i]);
        long from = shares[i][symbols[i]];
        long to = shares[i][symbols[i] + 1];
        long total = shares[i][size];
        assertThat(from).isLessThan(to);
        assertThat(total).isLessThanOrEqualTo(TokenFrequencies.TOTAL);
        encoder.encode(from, to, total);
        bits -= Math.log((to - from) / (double) total) / Math.log(2);
      }
      byte[] code = encoder.finish();
      assertThat(8.0 * code.length).isBetween(bits, 1.0001 * bits + 10);
      byte[] more = Arrays.copyOf(code, code.length + 4); // which is not the code's
      Arrays.fill(more, code.length, more.length, (byte) -(seed % 2));
      ArithmeticDecoder decoder = new ArithmeticDecoder(more);
      for (int i = 0; i < count; i++) {
        assertThat(decoder.decode(shares[i])).isEqualTo(symbols[i]);
      }
      assertThat(decoder.length()).isEqualTo(code.length);
    }
  }

  /** Shares of 1/2 and 1/4: each symbol takes a whole number of bits, at once. */
  @Test
  void takes_to_the_bit_what_the_shares_cost_whatever_follows_the_code() throws Exception {
    long[][] cumulative = {{0, 1, 2}, {0, 1, 2, 4}, {0, 1, 3, 4}, {0, 2, 3, 4}, {0, 1, 2, 3, 4}};
    for (int seed = 0; seed < 100; seed++) {
      Random random = new Random(seed);
      ArithmeticEncoder encoder = new ArithmeticEncoder();
      long[][] shares = new long[random.nextInt(50)][];
      int[] symbols = new int[shares.length];
      for (int i = 0; i < shares.length; i++) {
        shares[i] = cumulative[random.nextInt(cumulative.length)];
        symbols[i] = random.nextInt(shares[i].length - 1);
        encoder.encode(
            shares[i][symbols[i]], shares[i][symbols[i] + 1], shares[i][shares[i].length - 1]);
      }
      byte[] code = encoder.finish();
      byte[] more = Arrays.copyOf(code, code.length + 4);
      Arrays.fill(more, code.length, more.length, (byte) random.nextInt(256));
      ArithmeticDecoder decoder = new ArithmeticDecoder(more);
      long bits = 2; // of the end
      for (int i = 0; i < shares.length; i++) {
        assertThat(decoder.decode(shares[i])).isEqualTo(symbols[i]);
        long share = shares[i][symbols[i] + 1] - shares[i][symbols[i]];
        bits += Long.numberOfTrailingZeros(shares[i][shares[i].length - 1] / share);
        assertThat(decoder.length()).isEqualTo((bits + 7) / 8);
      }
      assertThat(code).hasSize((int) (bits + 7) / 8);
    }
  }

  @Test
  void notices_the_end_of_the_code() throws Exception {
    long[] equal = {0, 1, 2, 3, 4};
    ArithmeticEncoder encoder = new ArithmeticEncoder();
    for (int i = 0; i < 100; i++) {
      encoder.encode(2, 3, 4);
    }
    byte[] code = encoder.finish();
    assertThat(code).hasSize(26);
    ArithmeticDecoder decoder = new ArithmeticDecoder(Arrays.copyOf(code, 20));
    assertThatThrownBy(
            () -> {
              for (int i = 0; i < 100; i++) {
                decoder.decode(equal);
              }
            })
        .isInstanceOf(EOFException.class);
  }

  @Test
  void gives_probabilities_shares() {
    long[] cumulative =
        TokenFrequencies.cumulative(
            new float[] {(float) Math.log(0.25), (float) Math.log(0.75), -1000});
    assertThat(cumulative[1] / (double) TokenFrequencies.TOTAL).isCloseTo(0.25, within(1e-6));
    assertThat(cumulative[2] - cumulative[1]).isGreaterThan(3 * cumulative[1] - 10);
    assertThat(cumulative[3] - cumulative[2]).isEqualTo(1);
  }
}
