package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Set;

/** What blocks ask of their inputs. */
final class Inputs {

  private static final Set<DataType> TYPES = Set.of(DataType.INT64, DataType.INT32);

  private Inputs() {}

  /** Checks that a block's input is {@code (B, T, C)}. */
  static void checkActivations(String block, Shape shape, int embeddingSize) {
    checkArgument(
        shape.dimension() == 3 && shape.get(2) == embeddingSize,
        "%s takes activations of shape (batch, time, %s), but was given %s",
        block,
        embeddingSize,
        shape);
  }

  /**
   * Checks that tokens are {@code (B, T)} and, where they are in the CPU's memory, lie in the
   * vocabulary.
   */
  static void checkTokens(NDArray tokens, int vocabularySize) {
    checkArgument(
        tokens.getShape().dimension() == 2 && tokens.size() > 0,
        "tokens must have the shape (batch, time), both at least 1, but have %s",
        tokens.getShape());
    checkArgument(
        TYPES.contains(tokens.getDataType()),
        "tokens must be of INT64 or INT32, but are of %s",
        tokens.getDataType());
    // reading them back from a GPU would stall it at every step
    if (tokens.getDevice().isGpu()) {
      return;
    }
    try (NDArray max = tokens.max();
        NDArray min = tokens.min()) {
      long highest = max.toType(DataType.INT64, false).getLong();
      long lowest = min.toType(DataType.INT64, false).getLong();
      checkArgument(
          lowest >= 0 && highest < vocabularySize,
          "tokens must lie between 0 and vocabularySize - 1 (%s), but reach from %s to %s; set"
              + " vocabularySize to the number of distinct tokens (256 for bytes)",
          vocabularySize - 1,
          lowest,
          highest);
    }
  }
}
