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
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

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
 * <p>There is no bias correction. Moments and step are FLOAT32 for every type of parameter. An
 * update does not wait for the device. It zeroes the gradient, because DJL does so only for its own
 * optimizers. {@code setRescaleGrad} works; {@code optClipGrad} is rejected, because DJL clips from
 * above only: use {@link GradientClipping}.
 *
 * <p>Paper: You et al., "Large Batch Optimization for Deep Learning", <a
 * href="https://arxiv.org/abs/1904.00962">arXiv:1904.00962</a>, algorithm 2. The minimum trust
 * comes from Merity, <a href="https://arxiv.org/abs/1911.11423">arXiv:1911.11423</a>.
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
  private final OptimizerArrays means = new OptimizerArrays(MEAN);
  private final OptimizerArrays variances = new OptimizerArrays(VARIANCE);
  private int counted; // DJL's number of updates, including skipped ones
  private int offset; // updates() - counted
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

  /** {@return a builder with the settings of the SHA-RNN paper} */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray grad) {
    try (NDScope scope = new NDScope()) {
      scope.suppressNotUsedWarning();
      // detached, so it can be changed in place on any thread
      NDList alias = new NDList(weight.stopGradient());
      NDList unmeasured = new NDList(weight.getManager().zeros(new Shape()));
      double noClip = Double.POSITIVE_INFINITY;
      updateAll(List.of(parameterId), alias, new NDList(grad), rescaleGrad, unmeasured, noClip);
      Operators.get().call("zero", new NDList(weight.getGradient())); // grad is a copy
    }
  }

  /**
   * Updates all parameters in a few launches and does not wait for the device. If the norm or a
   * loss is not finite, only the gradients change (to 0). The caller must then call {@link
   * #skipped}.
   *
   * @param ids keys of the moments, one for each parameter
   * @param weights the parameters, detached from the gradient graph, FLOAT32
   * @param gradients their gradients, FLOAT32 or FLOAT16; set to 0
   * @param scale factor of the gradients before clipping
   * @param measured the norm of the gradients before scaling, then the losses; each a FLOAT32
   *     without axes on the device
   * @param clipNorm largest norm of the scaled gradients
   */
  void updateAll(
      List<String> ids,
      NDList weights,
      NDList gradients,
      double scale,
      NDList measured,
      double clipNorm) {
    for (String id : ids) {
      counted = updateCount(id);
    }
    String lastId = ids.get(ids.size() - 1); // a tracker takes an id; any of them would do
    float learningRate = rateFactor * learningRateTracker.getNewValue(lastId, updates());
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
    NDList mean = means.get(ids, weights, Lamb::zerosLike);
    NDList variance = variances.get(ids, weights, Lamb::zerosLike);
    Operators.get().call("lamb", options, weights, gradients, mean, variance, measured).close();
  }

  /** Removes the last, skipped update from the count. */
  void skipped() {
    offset--;
  }

  /**
   * Sets a factor of the tracker's learning rate. Default 1.
   *
   * @param factor factor of the rate of every later update
   */
  public void rateFactor(float factor) {
    rateFactor = factor;
  }

  private static NDArray zerosLike(NDArray weight) {
    return weight.getManager().zeros(weight.getShape(), DataType.FLOAT32);
  }

  /**
   * Returns the moments as a checkpoint saves them, under {@code mean.ID} and {@code variance.ID}.
   */
  Map<String, NDArray> moments() {
    Map<String, NDArray> moments = new TreeMap<>(means.named());
    moments.putAll(variances.named());
    return moments;
  }

  /** Returns how often the parameters were updated. */
  int updates() {
    return offset + counted;
  }

  /** Restores {@link #moments()}, which are copied, and {@link #updates()}. Ignores other names. */
  void restore(Map<String, NDArray> moments, int updates) {
    means.restore(moments);
    variances.restore(moments);
    offset = updates - counted;
  }

  /** Frees the moments. */
  @Override
  public void close() {
    means.close();
    variances.close();
  }

  /** The options of {@link Lamb}, with the names of DJL's {@code AdamW.Builder}. */
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
     * @param tracker returns the rate of a step, counted from 1; called once per step
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
     * Sets the number added to the root of the second moment. Default 1e-6.
     *
     * @param value above 0
     * @return this builder
     */
    public Builder optEpsilon(float value) {
      epsilon = value;
      return this;
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
