package io.github.sharnn.train.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import io.github.sharnn.engine.Operators;
import java.util.List;
import java.util.Map;

/**
 * The exponential moving average (EMA) of the weights, for evaluation. A bias correction keeps the
 * random initial weights out of it. After t updates
 *
 * <pre>{@code
 * average = (1 - decay) / (1 - decay^t) * (sum over s = 1..t of decay^(t - s) * weights after s)
 * }</pre>
 *
 * <p>Update t moves the average by {@code (1 - decay) / (1 - decay^t)} of the way to the weights.
 */
final class WeightAverage implements AutoCloseable {

  static final String AVERAGE = "average.";

  private final double decay;
  private final List<String> ids;
  private final NDList weights; // the model's, FLOAT32, outside any graph
  final OptimizerArrays averages = new OptimizerArrays(AVERAGE); // empty before the first update
  private int updates;

  WeightAverage(double decay, List<String> ids, NDList weights) {
    this.decay = decay;
    this.ids = ids;
    this.weights = weights;
  }

  /** Adds the weights after an update to the averages, in a few launches. */
  void updated() {
    updates++;
    float step = (float) ((1 - decay) / (1 - Math.pow(decay, updates))); // 1 at the first update
    NDList average = averages.get(ids, weights, NDArray::duplicate);
    Operators.get().call("lerp", new float[] {step}, average, weights).close();
  }

  /** Swaps weights and averages. Does nothing before the first update. */
  void swap() {
    if (!averages.isEmpty()) {
      Operators.get()
          .call("exchange", weights, averages.get(ids, weights, NDArray::duplicate))
          .close();
    }
  }

  /** Restores the averages, which are copied. Ignores other names. */
  void restore(Map<String, NDArray> tensors, int count) {
    updates = count;
    averages.restore(tensors);
  }

  /** Frees the averages. */
  @Override
  public void close() {
    averages.close();
  }
}
