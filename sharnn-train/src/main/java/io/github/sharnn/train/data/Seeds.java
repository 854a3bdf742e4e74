package io.github.sharnn.train.data;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;

/**
 * Seeds for what is drawn at one place of a run: functions of that place, so that nothing has to be
 * saved for a run to draw the same again.
 */
public final class Seeds {

  private Seeds() {}

  /** Mixes numbers into one; the same in every version of Java. */
  public static long mix(long... numbers) {
    Hasher hasher = Hashing.murmur3_128().newHasher();
    for (long number : numbers) {
      hasher.putLong(number);
    }
    return hasher.hash().asLong();
  }

  /** The same as a number in [0, 1). */
  public static double uniform(long... numbers) {
    return (mix(numbers) >>> 11) * 0x1p-53;
  }
}
