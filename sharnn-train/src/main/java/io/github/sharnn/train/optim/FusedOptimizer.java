package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.ParameterTracker;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.engine.Operators;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * An optimizer that updates all parameters of a model in a few launches. A {@link
 * io.github.sharnn.train.SHARNNTrainer} runs it with every option: FLOAT16 with FLOAT32 weights,
 * checkpoints, rollbacks, {@link Lookahead}, averages. It also works alone in DJL's training loops.
 *
 * <p>An update does not wait for the device. If the norm of the gradients or a loss is not finite,
 * the update changes only the gradients. Every update zeroes the gradients, because DJL does so
 * only for its own optimizers. Moments are FLOAT32 for every type of parameter. {@code
 * setRescaleGrad} works; {@code optClipGrad} is rejected, because DJL clips from above only: use
 * {@link GradientClipping}.
 *
 * <p>A new optimizer is a subclass in this package and a constant of {@link
 * OptimizerSettings.Type}.
 */
public abstract class FusedOptimizer extends Optimizer implements AutoCloseable {

  static final String MEAN = "mean.";
  static final String VARIANCE = "variance.";

  final float beta1;
  final float beta2;
  final float epsilon;
  private final ParameterTracker learningRateTracker;
  private final List<OptimizerArrays> kept = new ArrayList<>();
  private final OptimizerArrays means = keep(MEAN);
  private final OptimizerArrays variances = keep(VARIANCE);
  private int counted; // DJL's number of updates, including skipped ones
  private int offset; // updates() - counted
  private float rateFactor = 1;

  FusedOptimizer(Builder<?> builder) {
    super(builder);
    String name = getClass().getSimpleName();
    learningRateTracker =
        checkNotNull(builder.learningRateTracker, "optLearningRateTracker must not be null");
    beta1 = builder.beta1;
    beta2 = builder.beta2;
    epsilon = builder.epsilon;
    checkArgument(
        clipGrad < 0,
        "optClipGrad must stay unset for %s: clip by global norm, see GradientClipping",
        name);
    checkShare("beta1", beta1);
    checkShare("beta2", beta2);
    checkArgument(epsilon > 0, "epsilon must be above 0, but is %s", epsilon);
    checkArgument(
        getWeightDecay() >= 0, "weightDecays must be at least 0, but is %s", getWeightDecay());
  }

  static void checkShare(String option, float value) {
    checkArgument(value >= 0 && value < 1, "%s must be in [0, 1), but is %s", option, value);
  }

  /** Returns new arrays that a checkpoint saves under a prefix plus the parameter's id. */
  final OptimizerArrays keep(String prefix) {
    OptimizerArrays arrays = new OptimizerArrays(prefix);
    kept.add(arrays);
    return arrays;
  }

  /**
   * {@return the settings of this optimizer, which a checkpoint stores; they leave out momentum,
   * betas, epsilon and other options of the builder alone}
   */
  public abstract OptimizerSettings settings();

  /** Returns the prefixes of the arrays that are kept for a parameter. */
  List<String> prefixes(String id, Shape shape) {
    return List.of(MEAN, VARIANCE);
  }

  /** Tells the optimizer which block its parameters belong to. */
  void parametersOf(Block block) {}

  /**
   * The arguments of one update.
   *
   * @param ids keys of the arrays that the optimizer keeps, one for each parameter
   * @param weights the parameters, detached from the gradient graph
   * @param measured the norm of the gradients before scaling, then the losses
   * @param scale factor of the gradients before clipping
   * @param clipNorm largest norm of the scaled gradients
   */
  record Step(
      List<String> ids,
      NDList weights,
      NDList gradients,
      NDList measured,
      float scale,
      float clipNorm,
      float rate) {

    /** Returns the update of some of the parameters. */
    Step of(List<Integer> places) {
      NDList someWeights = new NDList(places.size());
      NDList someGradients = new NDList(places.size());
      for (int place : places) {
        someWeights.add(weights.get(place));
        someGradients.add(gradients.get(place));
      }
      List<String> someIds = places.stream().map(ids::get).toList();
      return new Step(someIds, someWeights, someGradients, measured, scale, clipNorm, rate);
    }
  }

  /** Launches an update that skips itself if a measured scalar is not finite. */
  abstract void launch(Step step);

  /** Launches an operator that updates the parameters and both of their moments. */
  final void callWithMoments(String operator, float[] options, Step step) {
    NDList mean = means.get(step.ids, step.weights, FusedOptimizer::zerosLike);
    NDList variance = variances.get(step.ids, step.weights, FusedOptimizer::zerosLike);
    Operators.get()
        .call(operator, options, step.weights, step.gradients, mean, variance, step.measured)
        .close();
  }

  @Override
  public final void update(String parameterId, NDArray weight, NDArray grad) {
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
   * #skipped}. {@link Step} describes the arguments; weights and measured scalars are FLOAT32.
   */
  final void updateAll(
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
    launch(
        new Step(ids, weights, gradients, measured, (float) scale, (float) clipNorm, learningRate));
  }

  /** Removes the last, skipped update from the count. */
  final void skipped() {
    offset--;
  }

  /**
   * Sets a factor of the tracker's learning rate. Default 1.
   *
   * @param factor factor of the rate of every later update
   */
  public final void rateFactor(float factor) {
    rateFactor = factor;
  }

  static NDArray zerosLike(NDArray weight) {
    return weight.getManager().zeros(weight.getShape(), DataType.FLOAT32);
  }

  /** Returns the arrays as a checkpoint saves them, under names such as {@code mean.ID}. */
  final Map<String, NDArray> moments() {
    Map<String, NDArray> moments = new TreeMap<>();
    kept.forEach(arrays -> moments.putAll(arrays.named()));
    return moments;
  }

  /** Returns the names and shapes of {@link #moments} after an update of all these parameters. */
  final Map<String, Shape> momentShapes(List<String> ids, NDList weights) {
    Map<String, Shape> shapes = new HashMap<>();
    for (int i = 0; i < ids.size(); i++) {
      Shape shape = weights.get(i).getShape();
      for (String prefix : prefixes(ids.get(i), shape)) {
        shapes.put(prefix + ids.get(i), shape);
      }
    }
    return shapes;
  }

  /** Returns how often the parameters were updated. */
  final int updates() {
    return offset + counted;
  }

  /** Restores {@link #moments()}, which are copied, and {@link #updates()}. Ignores other names. */
  final void restore(Map<String, NDArray> moments, int updates) {
    kept.forEach(arrays -> arrays.restore(moments));
    offset = updates - counted;
  }

  /** Frees the moments. */
  @Override
  public final void close() {
    kept.forEach(OptimizerArrays::close);
  }

  /**
   * The options of every {@link FusedOptimizer}, with the names of DJL's {@code AdamW.Builder}.
   *
   * @param <T> the builder itself
   */
  public abstract static class Builder<T extends Builder<T>> extends OptimizerBuilder<T> {

    private ParameterTracker learningRateTracker = Tracker.fixed(2e-3f);
    private float beta1 = 0.9f;
    private float beta2;
    private float epsilon;

    Builder(float beta2, float epsilon, float weightDecay) {
      this.beta2 = beta2;
      this.epsilon = epsilon;
      optWeightDecays(weightDecay);
    }

    /**
     * Sets the learning rate. Default 2e-3 at every step.
     *
     * @param tracker returns the rate of a step, counted from 1; called once per step
     * @return this builder
     */
    public T optLearningRateTracker(ParameterTracker tracker) {
      learningRateTracker = tracker;
      return self();
    }

    /**
     * Sets the decay of the first moment. Default 0.9.
     *
     * @param beta in [0, 1)
     * @return this builder
     */
    public T optBeta1(float beta) {
      beta1 = beta;
      return self();
    }

    /**
     * Sets the decay of the second moment. Default 0.999 for {@link Lamb}, else 0.99.
     *
     * @param beta in [0, 1)
     * @return this builder
     */
    public T optBeta2(float beta) {
      beta2 = beta;
      return self();
    }

    /**
     * Sets the number added to the root of the second moment. Default 1e-6 for {@link Lamb}, else
     * 1e-8.
     *
     * @param value above 0
     * @return this builder
     */
    public T optEpsilon(float value) {
      epsilon = value;
      return self();
    }
  }
}
