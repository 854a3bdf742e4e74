package io.github.sharnn.spark;

import com.google.common.hash.Hashing;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The seeds of rows. A row's seed depends on the row alone, and not on its partition or place.
 *
 * @param base the seed of the job
 */
record RowSeeds(long base) implements Serializable {

  /** {@return the seed of a row: the base plus the row's own seed, or plus a hash of its text} */
  long of(String text, @Nullable Long own) {
    return base
        + (own == null
            ? Hashing.farmHashFingerprint64().hashString(text, StandardCharsets.UTF_8).asLong()
            : own);
  }
}
