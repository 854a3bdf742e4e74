package io.github.sharnn.engine;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Set;

/** Checks of blocks' inputs. */
public final class Inputs {

  private static final Set<DataType> TYPES = Set.of(DataType.INT64, DataType.INT32);

  private Inputs() {}

  /**
   * Checks that the first of a block's inputs is {@code (B, T, C)}.
   *
   * @param block the block's name in the error message
   * @param shapes the shapes of the inputs
   * @param embeddingSize the size C
   * @throws IllegalArgumentException if there is no input, or the first one has another shape
   */
  public static void checkActivations(String block, Shape[] shapes, int embeddingSize) {
    checkArgument(
        shapes.length > 0
            && shapes[0].dimension() == 3
            && shapes[0].get(2) == embeddingSize
            && shapes[0].size() != 0,
        "%s takes activations of shape (batch, time, %s), but was given %s: batch and time must be at"
            + " least 1, and the last axis the block's embeddingSize",
        block,
        embeddingSize,
        shapes.length == 0 ? "none" : shapes[0]);
  }

  /**
   * Checks that keys and values have the queries' batch size and at least as many positions.
   *
   * @param queries the shape {@code (B, T, C)}
   * @param keys the shape {@code (B, K, C)}, K at least T
   * @param values the shape of the keys
   * @throws IllegalArgumentException if the shapes do not fit each other
   */
  public static void checkKeys(Shape queries, Shape keys, Shape values) {
    checkArgument(
        keys.equals(values)
            && keys.dimension() == 3
            && keys.get(0) == queries.get(0)
            && keys.get(1) >= queries.get(1)
            && keys.get(2) == queries.get(2),
        "keys and values must have the shape (batch, positions, embeddingSize), with batch and"
            + " embeddingSize of the queries %s and at least as many positions, but have %s and %s",
        queries,
        keys,
        values);
  }

  /**
   * Checks that tokens are {@code (B, T)} and lie in the vocabulary. On a GPU the values are not
   * checked.
   *
   * @param tokens the tokens, of INT64 or INT32
   * @param vocabularySize the number of tokens V
   * @throws IllegalArgumentException if the tokens have another shape or type, or one lies outside
   *     [0, V)
   */
  public static void checkTokens(NDArray tokens, int vocabularySize) {
    checkArgument(
        tokens.getShape().dimension() == 2 && tokens.size() > 0,
        "tokens must have the shape (batch, time), both at least 1, but have %s",
        tokens.getShape());
    checkArgument(
        TYPES.contains(tokens.getDataType()),
        "tokens must be of INT64 or INT32, but are of %s",
        tokens.getDataType());
    // reading the values back would stall the GPU at every step
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
