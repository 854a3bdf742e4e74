package io.github.sharnn.spark;

import ai.djl.Model;
import com.google.common.hash.Hashing;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The work of a transformer on texts: scoring or generation, with its options. */
interface TextWork extends Serializable {

  /**
   * The text of a row.
   *
   * @param text the value of the input column
   * @param seed the seed of the row; 0 if the work draws nothing
   */
  record Text(String text, long seed) {}

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

  /** {@return the maximum number of texts side by side} */
  int batchSize();

  /**
   * {@return the work with a model}
   *
   * @param model the model
   * @throws IllegalArgumentException if the model can't do this work for any text
   */
  OfModel open(Model model);

  /** The work with a model. */
  @FunctionalInterface
  interface OfModel {

    /**
     * Computes the values of the output columns for texts side by side.
     *
     * @param texts at most {@link #batchSize} texts
     * @return the values for each text, in the order of the columns
     * @throws IllegalArgumentException if the model can't take one of the texts
     */
    List<Object[]> run(List<Text> texts);
  }
}
