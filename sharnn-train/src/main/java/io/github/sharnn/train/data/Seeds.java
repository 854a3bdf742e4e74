package io.github.sharnn.train.data;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;

/**
 * Random numbers as functions of a place in a run, such as seed, pass and position. A resumed run
 * draws the same numbers without a saved state.
 */
public final class Seeds {

  private Seeds() {}

  /** Returns a hash of numbers, which is the same in every version of Java. */
  public static long mix(long... numbers) {
    Hasher hasher = Hashing.murmur3_128().newHasher();
    for (long number : numbers) {
      hasher.putLong(number);
    }
    return hasher.hash().asLong();
  }

  /** Returns a hash of numbers in [0, 1). */
  public static double uniform(long... numbers) {
    return (mix(numbers) >>> 11) * 0x1p-53;
  }
}
