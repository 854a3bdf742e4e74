package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.engine.Operators;
import java.util.List;

/**
 * Lookahead around another optimizer. The other optimizer moves the fast weights, which are the
 * model's. After every k updates, the slow weights move a fraction alpha towards the fast weights.
 * The fast weights are then reset to the slow weights.
 *
 * <pre>{@code
 * slow = slow + alpha * (fast - slow);   fast = slow
 * }</pre>
 *
 * <p>The slow weights start as a copy of the weights before the first update.
 *
 * <p>This class is for DJL's own training loops. In a {@link io.github.sharnn.train.SHARNNTrainer},
 * set {@code lookahead} in its builder.
 *
 * <p>Paper: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", <a
 * href="https://arxiv.org/abs/1907.08610">arXiv:1907.08610</a>, algorithm 1.
 */
public final class Lookahead extends Optimizer implements AutoCloseable {

  static final String SLOW = "slow.";

  private final Optimizer optimizer;
  private final int steps;
  private final float alpha;
  final OptimizerArrays slow = new OptimizerArrays(SLOW);

  private Lookahead(Optimizer optimizer, int steps, float alpha) {
    super(new NoOptions());
    this.optimizer = checkNotNull(optimizer, "Lookahead's optimizer must not be null");
    this.steps = steps;
    this.alpha = alpha;
  }

  /** The options of every DJL optimizer; the inner optimizer has its own. */
  private static final class NoOptions extends OptimizerBuilder<NoOptions> {

    @Override
    protected NoOptions self() {
      return this;
    }
  }

  /**
   * {@return Lookahead around an optimizer}
   *
   * @param optimizer the inner optimizer; the caller closes it
   * @param steps k, updates between two moves of the slow weights, at least 1; 5 to 6 in the paper
   * @param alpha share of the way that the slow weights go, above 0 and at most 1; 0.5 to 0.8 in
   *     the paper, 1 for no effect
   * @throws IllegalArgumentException if an option breaks its rule or the optimizer is a Lookahead
   */
  public static Lookahead around(Optimizer optimizer, int steps, float alpha) {
    check(steps, alpha);
    checkArgument(
        !(optimizer instanceof Lookahead), "Lookahead around Lookahead: give the inner one alone");
    return new Lookahead(optimizer, steps, alpha);
  }

  /**
   * Checks the options of {@link #around}.
   *
   * @param steps updates between two moves of the slow weights
   * @param alpha share of the way that the slow weights go
   * @throws IllegalArgumentException if an option breaks its rule
   */
  public static void check(int steps, float alpha) {
    checkArgument(steps >= 1, "Lookahead's steps must be at least 1, but are %s", steps);
    checkArgument(
        alpha > 0 && alpha <= 1,
        "Lookahead's alpha must be above 0 and at most 1, but is %s",
        alpha);
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray grad) {
    // The alias can change in place on any thread. There is no NDScope here, because it would close
    // the arrays that the inner optimizer makes in its first update.
    try (NDList alias = new NDList(weight.stopGradient())) {
      begin(List.of(parameterId), alias);
      optimizer.update(parameterId, weight, grad);
      updated(List.of(parameterId), alias, updateCount(parameterId));
    }
  }

  /** Copies the weights before the first update; the copies become the slow weights. */
  void begin(List<String> ids, NDList weights) {
    slow.get(ids, weights, NDArray::duplicate);
  }

  /** Moves slow and fast weights after every k updates, in a few launches. */
  void updated(List<String> ids, NDList weights, int updates) {
    if (updates % steps == 0) {
      NDList slowWeights = slow.get(ids, weights, NDArray::duplicate);
      Operators.get().call("lerp", new float[] {alpha}, slowWeights, weights).close();
      Operators.get().call("copy", weights, slowWeights).close();
    }
  }

  /** Frees the slow weights. */
  @Override
  public void close() {
    slow.close();
  }
}
