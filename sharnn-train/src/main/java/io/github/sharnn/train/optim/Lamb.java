package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * LAMB with a minimum trust ratio: Adam's step, scaled for each parameter by the ratio of the
 * parameter's norm to the step's norm, with weight decay.
 *
 * <pre>{@code
 * m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
 * step = m / (sqrt(v) + epsilon) + weightDecay * p
 * trust = max(minTrust, min(||p||, 10) / ||step||), the ratio being 1 where either norm is 0
 * p = p - learningRate * trust * step
 * }</pre>
 *
 * <p>There is no bias correction. Moments and step are FLOAT32 for every type of parameter.
 *
 * <p>Paper: You et al., "Large Batch Optimization for Deep Learning", <a
 * href="https://arxiv.org/abs/1904.00962">arXiv:1904.00962</a>, algorithm 2. The minimum trust
 * comes from Merity, <a href="https://arxiv.org/abs/1911.11423">arXiv:1911.11423</a>.
 */
public final class Lamb extends FusedOptimizer {

  private static final float MAX_PARAMETER_NORM = 10;

  private final float minTrust;

  private Lamb(Builder builder) {
    super(builder);
    minTrust = builder.minTrust;
    checkArgument(minTrust >= 0, "minTrust must be at least 0, but is %s", minTrust);
  }

  /** {@return a builder with the settings of the SHA-RNN paper} */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  public OptimizerSettings settings() {
    return OptimizerSettings.of(OptimizerSettings.Type.LAMB).weightDecay(getWeightDecay());
  }

  @Override
  void launch(Step step) {
    float[] options = {
      step.scale(),
      step.rate(),
      beta1,
      beta2,
      epsilon,
      getWeightDecay(),
      minTrust,
      MAX_PARAMETER_NORM,
      step.clipNorm()
    };
    callWithMoments("lamb", options, step);
  }

  /** The options of {@link Lamb}. */
  public static final class Builder extends FusedOptimizer.Builder<Builder> {

    private float minTrust = 0.25f;

    private Builder() {
      super(0.999f, 1e-6f, OptimizerSettings.Type.LAMB.weightDecay());
    }

    /**
     * Sets the minimum trust ratio. Default 0.25.
     *
     * @param ratio at least 0; 0 gives plain LAMB
     * @return this builder
     */
    public Builder optMinTrust(float ratio) {
      minTrust = ratio;
      return this;
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
    public Lamb build() {
      return new Lamb(this);
    }
  }
}
