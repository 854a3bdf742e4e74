package io.github.sharnn.train.step;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a batch's labels in the mean loss: an array {@code (B, T)} FLOAT32 after all other
 * arrays of the labels. Its mean over the whole batch is 1, and padding has 0. Labels without this
 * array all have the same weight.
 */
public final class TokenWeights {

  private TokenWeights() {}

  /**
   * {@return the weights, or null if all labels have the same weight}
   *
   * @param labels the labels of a batch
   */
  public static @Nullable NDArray of(NDList labels) {
    NDArray last = labels.get(labels.size() - 1);
    return last.getDataType() == DataType.FLOAT32 ? last : null; // all others are integers
  }

  /**
   * {@return the labels without their weights, as a model takes them}
   *
   * @param labels the labels of a batch
   */
  public static NDList without(NDList labels) {
    return of(labels) == null ? labels : labels.subNDList(0, labels.size() - 1);
  }
}
