package io.github.sharnn.train.evaluate;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.Operators;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.GradientClipping;
import io.github.sharnn.train.optim.LossScaler;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import org.jspecify.annotations.Nullable;

/**
 * The adapting weights of a {@link DynamicEvaluation} and the rule they follow. Call {@link
 * #measure} after the backward of each segment of the training part, then {@link #begin} once, then
 * {@link #adapt} after the backward of each predicted segment.
 */
final class Adaptation {

  private final DynamicEvaluation.Settings settings;
  private final MixedPrecisionWeights weights;
  private final NDManager manager;
  private final NDList adapting;
  private final NDList trained;
  private final NDList rms; // sums of squares before begin
  private final LossScaler lossScale;
  private @Nullable NDList gradients; // null before the first backward, which makes them
  private int measured;
  private double meanRms; // 0 before begin
  private double rate; // eta
  private long segments; // of the training part before begin, then of the part

  /** Copies the trained weights into those that adapt. The manager owns the arrays of the rule. */
  Adaptation(
      DynamicEvaluation.Settings settings,
      MixedPrecisionWeights weights,
      NDList trained,
      NDManager manager) {
    this.settings = settings;
    this.weights = weights;
    this.manager = manager;
    this.trained = trained;
    this.adapting = weights.masters();
    rms = new NDList();
    for (NDArray weight : trained) {
      rms.add(manager.zeros(weight.getShape(), DataType.FLOAT32));
    }
    lossScale =
        weights.model().getDataType() == DataType.FLOAT16
            ? LossScaler.dynamic()
            : LossScaler.none();
    Operators.get().call("copy", adapting, trained).close();
    weights.sync();
  }

  /** Returns the factor of the next loss. */
  double lossScale() {
    return lossScale.value();
  }

  /** Adds the squares of the gradients to those so far. */
  void measure() {
    if (finite()) {
      float scale = (float) lossScale.value();
      Operators.get().call("square", new float[] {scale}, rms, gradients).close();
      measured++;
      lossScale.good();
    }
  }

  /** Computes the rms from the squares, and the step size from the rms. */
  void begin(Corpus.Part training) {
    if (measured == 0) {
      throw new TrainingDivergedException(
          "no segment of the %s has finite gradients: take more than %s of them"
              .formatted(training, settings.statisticsSegments()));
    }
    float[] options = {measured, rms.stream().mapToLong(NDArray::size).sum(), settings.epsilon()};
    try (NDArray sums = Operators.get().call("root", options, rms)) {
      float[] values = sums.toFloatArray();
      meanRms = values[0];
      segments = 0;
      checkArgument(
          meanRms > 0, "all gradients of the %s are 0: there is nothing to adapt by", training);
      rate = settings.learningRate() / values[1];
    }
  }

  /** Changes the weights by the rule. */
  void adapt() {
    if (finite()) {
      float[] options = {
        (float) (rate / lossScale.value()),
        (float) (settings.decay() / meanRms),
        (float) (settings.epsilon() * meanRms)
      };
      Operators.get().call("adapt", options, adapting, gradients, trained, rms).close();
      weights.sync();
      lossScale.good();
    }
  }

  /** Tells whether the gradients are finite; otherwise zeroes them and lowers the loss scale. */
  private boolean finite() {
    if (gradients == null) {
      gradients = GradientClipping.gradients(SHARNN.of(weights.model()));
      gradients.attach(manager);
    }
    segments++;
    if (Double.isFinite(GradientClipping.norm(gradients))) {
      return true;
    }
    Operators.get().call("zero", gradients).close();
    if (!lossScale.overflow()) {
      throw new TrainingDivergedException(
          meanRms == 0
              ? "segment %d of the training part: %s".formatted(segments, lossScale.cause())
              : "dynamic evaluation diverged at segment %d: %s; lower its learning rate, %s"
                  .formatted(segments, lossScale.cause(), settings.learningRate()));
    }
    return false;
  }
}
