package io.github.sharnn.spark;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.score.Scorer;

/** The program of {@link RelocationIT}: scores a text, and prints which Guava Java finds. */
public final class OldGuava {

  private OldGuava() {}

  /**
   * Runs the program.
   *
   * @param arguments none
   */
  public static void main(String[] arguments) throws Exception {
    Class<?> guava = Class.forName("com.google.common.base.Preconditions");
    System.out.println(guava.getProtectionDomain().getCodeSource().getLocation());
    SHARNN block = SHARNN.builder().embeddingSize(32).boomSize(64).layers(1).build();
    try (Model model = block.newModel("small")) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      double bits = Scorer.builder(model).build().score("a text").totals().bits();
      System.out.println("bits of a text: " + bits);
    }
  }
}
