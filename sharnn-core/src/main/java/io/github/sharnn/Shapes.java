package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.types.Shape;

/** The shape rule that all blocks share. */
final class Shapes {

  private Shapes() {}

  /** Checks that a block's input is {@code (B, T, C)}. */
  static void checkActivations(String block, Shape shape, int embeddingSize) {
    checkArgument(
        shape.dimension() == 3 && shape.get(2) == embeddingSize,
        "%s takes activations of shape (batch, time, %s), but was given %s",
        block,
        embeddingSize,
        shape);
  }
}
