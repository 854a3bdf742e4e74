package io.github.sharnn.train.data;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;

/**
 * Random numbers that depend only on numbers such as seed, pass and position. A resumed run gets
 * the same numbers without a saved random state.
 */
public final class Seeds {

  private Seeds() {}

  /**
   * {@return a hash of numbers, which is the same in every version of Java}
   *
   * @param numbers any numbers, in an order that counts
   */
  public static long mix(long... numbers) {
    Hasher hasher = Hashing.murmur3_128().newHasher();
    for (long number : numbers) {
      hasher.putLong(number);
    }
    return hasher.hash().asLong();
  }

  /**
   * {@return a hash of numbers, mapped to [0, 1)}
   *
   * @param numbers any numbers, in an order that counts
   */
  public static double uniform(long... numbers) {
    return (mix(numbers) >>> 11) * 0x1p-53;
  }
}
