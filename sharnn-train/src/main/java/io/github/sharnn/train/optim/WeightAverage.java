package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import io.github.sharnn.engine.Operators;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The exponential moving average of the weights after each update, for evaluation. It is corrected
 * for its start, so that the first weights, which are random, have no part in it: after t updates
 *
 * <pre>{@code
 * average = (1 - decay) / (1 - decay^t) * (sum over s = 1..t of decay^(t - s) * weights after s)
 * }</pre>
 *
 * <p>kept as a single step towards the weights of {@code (1 - decay) / (1 - decay^t)} at update t.
 */
public final class WeightAverage implements AutoCloseable {

  static final String AVERAGE = "average.";

  private final double decay;
  private final List<String> ids;
  private final NDList weights; // the model's, FLOAT32, outside any graph
  private final NDList averages = new NDList(); // empty before the first update
  private int updates;

  WeightAverage(double decay, List<String> ids, NDList weights) {
    this.decay = decay;
    this.ids = ids;
    this.weights = weights;
  }

  /** Checks the option; 0 is for no average. */
  public static void check(double averageDecay) {
    checkArgument(
        averageDecay >= 0 && averageDecay < 1,
        "averageDecay must be at least 0 and below 1, but is %s",
        averageDecay);
  }

  /** Takes the weights after an update in, in a few launches. */
  void updated() {
    updates++;
    if (averages.isEmpty()) {
      weights.forEach(weight -> averages.add(Detached.of(weight.duplicate())));
      return;
    }
    float step = (float) ((1 - decay) / (1 - Math.pow(decay, updates)));
    Operators.get().call("lerp", new float[] {step}, averages, weights).close();
  }

  /** Lets weights and averages change places; nothing before the first update. */
  void exchange() {
    if (!averages.isEmpty()) {
      Operators.get().call("exchange", weights, averages).close();
    }
  }

  /** The averages, under {@code average.ID}: what a checkpoint saves. */
  Map<String, NDArray> averages() {
    Map<String, NDArray> named = new HashMap<>();
    for (int i = 0; i < averages.size(); i++) {
      named.put(AVERAGE + ids.get(i), averages.get(i));
    }
    return named;
  }

  /** Goes back to what {@link #averages} was; takes no notice of other names. */
  void restore(Map<String, NDArray> tensors, int count) {
    close();
    updates = count;
    List<NDArray> saved = new ArrayList<>();
    ids.forEach(id -> saved.add(tensors.get(AVERAGE + id)));
    if (count > 0) {
      saved.forEach(array -> averages.add(Detached.of(array.duplicate())));
    }
  }

  /** Frees the averages. */
  @Override
  public void close() {
    averages.close();
    averages.clear();
  }
}
