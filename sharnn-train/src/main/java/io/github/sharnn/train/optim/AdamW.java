package io.github.sharnn.train.optim;

import io.github.sharnn.Weight;

/**
 * AdamW: Adam with decoupled weight decay.
 *
 * <pre>{@code
 * m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
 * step = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon), in update t from 1
 * p = p - learningRate * (step + weightDecay * p)
 * }</pre>
 *
 * <p>Only hidden matrices decay. Cautious decay spares the entries where {@code p} and {@code step}
 * have different signs.
 *
 * <p>Papers: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", <a
 * href="https://arxiv.org/abs/1711.05101">arXiv:1711.05101</a>, algorithm 2; Chen et al., "Cautious
 * Weight Decay", <a href="https://arxiv.org/abs/2510.12402">arXiv:2510.12402</a>.
 */
public final class AdamW extends GroupedOptimizer {

  private AdamW(Builder builder) {
    super(builder);
  }

  /** {@return a builder with betas 0.9 and 0.99, epsilon 1e-8 and weight decay 0.01} */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  public OptimizerSettings settings() {
    return settings(OptimizerSettings.Type.ADAMW);
  }

  @Override
  void launch(Weight.Group group, Step step) {
    adamW(group, step);
  }

  /** The options of {@link AdamW}. */
  public static final class Builder extends GroupedOptimizer.Builder<Builder> {

    private Builder() {
      super(OptimizerSettings.Type.ADAMW.weightDecay());
    }

    @Override
    protected Builder self() {
      return this;
    }

    /**
     * {@return the optimizer}
     *
     * @throws IllegalArgumentException if an option breaks its rule
     */
    public AdamW build() {
      return new AdamW(this);
    }
  }
}
