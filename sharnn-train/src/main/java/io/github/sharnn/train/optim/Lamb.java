package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.ParameterTracker;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.engine.Operators;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * LAMB with a minimum trust: Adam's step for each parameter, scaled by the ratio of the parameter's
 * norm to the step's.
 *
 * <pre>{@code
 * m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
 * step = m / (sqrt(v) + epsilon) + weightDecay * p
 * trust = max(minTrust, min(||p||, 10) / ||step||), the ratio being 1 where either norm is 0
 * p = p - learningRate * trust * step
 * }</pre>
 *
 * <p>There is no bias correction. Moments and step are FLOAT32 whatever the parameter's type.
 * Nothing is read back to the host. A gradient is zeroed once it is used, as DJL's Adam does, since
 * DJL zeroes none for an optimizer written in Java.
 *
 * <p>Paper: You et al., "Large Batch Optimization for Deep Learning", <a
 * href="https://arxiv.org/abs/1904.00962">arXiv:1904.00962</a>, algorithm 2; the minimum trust is
 * Merity's, arXiv:1911.11423. {@code setRescaleGrad} is honoured; {@code optClipGrad} is refused:
 * clip by {@link GradientClipping}.
 */
public final class Lamb extends Optimizer implements AutoCloseable {

  private static final float MAX_PARAMETER_NORM = 10;
  static final String MEAN = "mean.";
  static final String VARIANCE = "variance.";

  private final ParameterTracker learningRateTracker;
  private final float beta1;
  private final float beta2;
  private final float epsilon;
  private final float minTrust;
  private final Map<String, NDArray> means = new HashMap<>();
  private final Map<String, NDArray> variances = new HashMap<>();
  private int counted; // by DJL
  private int ahead; // of what DJL counted, once restored
  private float rateFactor = 1;

  private Lamb(Builder builder) {
    super(builder);
    learningRateTracker =
        checkNotNull(builder.learningRateTracker, "optLearningRateTracker must not be null");
    beta1 = builder.beta1;
    beta2 = builder.beta2;
    epsilon = builder.epsilon;
    minTrust = builder.minTrust;
    checkArgument(
        clipGrad < 0,
        "optClipGrad must stay unset for Lamb: clip by global norm, see GradientClipping");
    checkArgument(beta1 >= 0 && beta1 < 1, "beta1 must be in [0, 1), but is %s", beta1);
    checkArgument(beta2 >= 0 && beta2 < 1, "beta2 must be in [0, 1), but is %s", beta2);
    checkArgument(epsilon > 0, "epsilon must be above 0, but is %s", epsilon);
    checkArgument(
        getWeightDecay() >= 0, "weightDecays must be at least 0, but is %s", getWeightDecay());
    checkArgument(minTrust >= 0, "minTrust must be at least 0, but is %s", minTrust);
  }

  /**
   * Starts an optimizer with the recipe's settings.
   *
   * @return the builder
   */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray grad) {
    try (NDScope scope = new NDScope()) {
      scope.suppressNotUsedWarning();
      NDList alias = new NDList(weight.stopGradient()); // may change in place on any thread
      NDList unmeasured = new NDList(weight.getManager().zeros(new Shape()));
      double noClip = Double.POSITIVE_INFINITY;
      updateAll(List.of(parameterId), alias, new NDList(grad), rescaleGrad, unmeasured, noClip);
      Operators.get().call("zero", new NDList(weight.getGradient())); // grad is a copy
    }
  }

  /**
   * Updates many parameters in a few launches, for whose result nothing waits here. Where the norm
   * or a loss is not finite, the gradients are zeroed and all else stays as it is: call {@link
   * #skipped} then.
   *
   * @param ids what the moments are kept under, one for each parameter
   * @param weights the parameters, outside any graph, FLOAT32
   * @param gradients their gradients, FLOAT32 or FLOAT16; zeroed
   * @param scale what the gradients are multiplied by first
   * @param measured the norm of the gradients before that, then losses, 0-dimensional FLOAT32 on
   *     the device
   * @param clipNorm what the gradients are clipped to after that
   */
  void updateAll(
      List<String> ids,
      NDList weights,
      NDList gradients,
      double scale,
      NDList measured,
      double clipNorm) {
    float learningRate = 0;
    NDList means = new NDList();
    NDList variances = new NDList();
    for (int i = 0; i < ids.size(); i++) {
      NDArray weight = weights.get(i);
      counted = updateCount(ids.get(i));
      learningRate = rateFactor * learningRateTracker.getNewValue(ids.get(i), ahead + counted);
      means.add(moment(this.means, ids.get(i), weight));
      variances.add(moment(this.variances, ids.get(i), weight));
    }
    if (!Float.isFinite(learningRate)) {
      throw new TrainingDivergedException("the learning rate is " + learningRate);
    }
    float[] options = {
      (float) scale,
      learningRate,
      beta1,
      beta2,
      epsilon,
      getWeightDecay(),
      minTrust,
      MAX_PARAMETER_NORM,
      (float) clipNorm
    };
    Operators.get().call("lamb", options, weights, gradients, means, variances, measured).close();
  }

  /** Takes back the count of the last update of all, which found no finite gradients. */
  void skipped() {
    ahead--;
  }

  /** Multiplies the learning rate from now on, whatever the tracker says. */
  public void rateFactor(float factor) {
    rateFactor = factor;
  }

  private static NDArray moment(Map<String, NDArray> moments, String id, NDArray weight) {
    return moments.computeIfAbsent(
        id, k -> Detached.of(weight.getManager().zeros(weight.getShape(), DataType.FLOAT32)));
  }

  /** The moments, under {@code mean.ID} and {@code variance.ID}: what a checkpoint saves. */
  Map<String, NDArray> moments() {
    Map<String, NDArray> moments = new TreeMap<>();
    means.forEach((id, mean) -> moments.put(MEAN + id, mean));
    variances.forEach((id, variance) -> moments.put(VARIANCE + id, variance));
    return moments;
  }

  /** How often the parameters were updated. */
  int updates() {
    return ahead + counted;
  }

  /**
   * Goes back to what {@link #moments()} and {@link #updates()} were.
   *
   * @param moments copied; other names are passed over
   * @param updates the count
   */
  void restore(Map<String, NDArray> moments, int updates) {
    close();
    moments.forEach(
        (name, array) -> {
          if (name.startsWith(MEAN)) {
            means.put(name.substring(MEAN.length()), Detached.of(array.duplicate()));
          } else if (name.startsWith(VARIANCE)) {
            variances.put(name.substring(VARIANCE.length()), Detached.of(array.duplicate()));
          }
        });
    ahead = updates - counted;
  }

  /** Frees the moments. */
  @Override
  public void close() {
    means.values().forEach(NDArray::close);
    variances.values().forEach(NDArray::close);
    means.clear();
    variances.clear();
  }

  /** Options of {@link Lamb}, named as those of DJL's {@code AdamW.Builder}. */
  public static final class Builder extends OptimizerBuilder<Builder> {

    private ParameterTracker learningRateTracker = Tracker.fixed(2e-3f);
    private float beta1 = 0.9f;
    private float beta2 = 0.999f;
    private float epsilon = 1e-6f;
    private float minTrust = 0.25f;

    private Builder() {
      optWeightDecays(1.2e-6f);
    }

    /**
     * Sets the learning rate. Default 2e-3 at every step.
     *
     * @param tracker gives the rate of a step, counted from 1
     * @return this builder
     */
    public Builder optLearningRateTracker(ParameterTracker tracker) {
      learningRateTracker = tracker;
      return this;
    }

    /**
     * Sets the decay of the first moment. Default 0.9.
     *
     * @param beta in [0, 1)
     * @return this builder
     */
    public Builder optBeta1(float beta) {
      beta1 = beta;
      return this;
    }

    /**
     * Sets the decay of the second moment. Default 0.999.
     *
     * @param beta in [0, 1)
     * @return this builder
     */
    public Builder optBeta2(float beta) {
      beta2 = beta;
      return this;
    }

    /**
     * Sets what is added to the root of the second moment. Default 1e-6.
     *
     * @param value above 0
     * @return this builder
     */
    public Builder optEpsilon(float value) {
      epsilon = value;
      return this;
    }

    /**
     * Sets the least trust ratio. Default 0.25.
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
     * Builds the optimizer.
     *
     * @return the optimizer
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public Lamb build() {
      return new Lamb(this);
    }
  }
}
