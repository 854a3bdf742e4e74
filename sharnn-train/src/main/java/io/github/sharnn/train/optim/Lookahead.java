package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.engine.Operators;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Lookahead around another optimizer: that one moves the weights, the fast ones; after every k
 * updates slow weights go a part of the way to them, and the fast ones go on from there.
 *
 * <pre>{@code
 * slow = slow + alpha * (fast - slow);   fast = slow
 * }</pre>
 *
 * <p>The slow weights begin as the first weights and are of the same type. The other optimizer
 * keeps its moments.
 *
 * <p>Paper: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", <a
 * href="https://arxiv.org/abs/1907.08610">arXiv:1907.08610</a>, algorithm 1. In {@link
 * io.github.sharnn.train.SHARNNTrainer} set {@link
 * io.github.sharnn.train.SHARNNTrainer.Builder#lookahead}; this is for DJL's own training loops.
 */
public final class Lookahead extends Optimizer implements AutoCloseable {

  static final String SLOW = "slow.";

  private final Optimizer optimizer;
  private final int steps;
  private final float alpha;
  private final Map<String, NDArray> slow = new HashMap<>();

  private Lookahead(Optimizer optimizer, int steps, float alpha) {
    super(new NoOptions());
    this.optimizer = checkNotNull(optimizer, "Lookahead's optimizer must not be null");
    this.steps = steps;
    this.alpha = alpha;
  }

  /** The options of a DJL optimizer, which the other optimizer has already. */
  private static final class NoOptions extends OptimizerBuilder<NoOptions> {

    @Override
    protected NoOptions self() {
      return this;
    }
  }

  /**
   * Puts Lookahead around an optimizer.
   *
   * @param optimizer any other; it is closed by whoever made it
   * @param steps k, updates from one move of the slow weights to the next, at least 1; the paper
   *     has 5 to 6 here
   * @param alpha how far the slow weights go, above 0 and at most 1, which leaves the other
   *     optimizer as it is; the paper has 0.5 to 0.8
   * @return the optimizer
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public static Lookahead around(Optimizer optimizer, int steps, float alpha) {
    check(steps, alpha);
    checkArgument(
        !(optimizer instanceof Lookahead), "Lookahead around Lookahead: give the inner one alone");
    return new Lookahead(optimizer, steps, alpha);
  }

  /** The one that this is around. */
  Optimizer optimizer() {
    return optimizer;
  }

  public static void check(int steps, float alpha) {
    checkArgument(steps >= 1, "Lookahead's steps must be at least 1, but are %s", steps);
    checkArgument(
        alpha > 0 && alpha <= 1,
        "Lookahead's alpha must be above 0 and at most 1, but is %s",
        alpha);
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray grad) {
    // may change in place on any thread; no NDScope, which would close the optimizer's moments
    try (NDList alias = new NDList(weight.stopGradient())) {
      begin(List.of(parameterId), alias);
      optimizer.update(parameterId, weight, grad);
      updated(List.of(parameterId), alias, updateCount(parameterId));
    }
  }

  /**
   * Notes the weights before an update; the first time they are the slow ones.
   *
   * @param ids what the slow weights are kept under
   * @param weights outside any graph
   */
  void begin(List<String> ids, NDList weights) {
    for (int i = 0; i < ids.size(); i++) {
      NDArray weight = weights.get(i);
      slow.computeIfAbsent(ids.get(i), id -> Detached.of(weight.duplicate()));
    }
  }

  /**
   * Moves slow and fast weights, where it is time, in a few launches.
   *
   * @param ids as in {@link #begin}
   * @param weights as in {@link #begin}, after the update
   * @param updates how many there have been
   */
  void updated(List<String> ids, NDList weights, int updates) {
    if (updates % steps == 0) {
      NDList slowWeights = new NDList();
      ids.forEach(id -> slowWeights.add(slow.get(id)));
      Operators.get().call("lerp", new float[] {alpha}, slowWeights, weights).close();
      Operators.get().call("copy", weights, slowWeights).close();
    }
  }

  /** The slow weights, under {@code slow.ID}: what a checkpoint saves. */
  Map<String, NDArray> slowWeights() {
    Map<String, NDArray> named = new HashMap<>();
    slow.forEach((id, weight) -> named.put(SLOW + id, weight));
    return named;
  }

  /** Goes back to what {@link #slowWeights} was; takes no notice of other names. */
  void restore(Map<String, NDArray> tensors) {
    close();
    tensors.forEach(
        (name, array) -> {
          if (name.startsWith(SLOW)) {
            slow.put(name.substring(SLOW.length()), Detached.of(array.duplicate()));
          }
        });
  }

  /** Frees the slow weights. */
  @Override
  public void close() {
    slow.values().forEach(NDArray::close);
    slow.clear();
  }
}
