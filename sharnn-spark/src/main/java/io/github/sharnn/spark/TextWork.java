package io.github.sharnn.spark;

import ai.djl.Model;
import java.io.Serializable;
import java.util.List;

/** The work of a transformer on texts: scoring or generation, with its options. */
interface TextWork extends Serializable {

  /**
   * The text of a row.
   *
   * @param text the value of the input column
   * @param seed the seed of the row; 0 if the work draws nothing
   */
  record Text(String text, long seed) {}

  /** {@return the maximum number of texts side by side} */
  int batchSize();

  /**
   * Computes the values of the output columns for texts side by side.
   *
   * @param model the model
   * @param texts at most {@link #batchSize} texts
   * @return the values for each text, in the order of the columns
   * @throws IllegalArgumentException if the model can't take one of the texts
   */
  List<Object[]> run(Model model, List<Text> texts);
}
