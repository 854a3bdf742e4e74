package io.github.sharnn.train.evaluate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import com.google.common.collect.Iterables;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.engine.Operators;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.data.TokenBatch;
import io.github.sharnn.train.optim.GradientClipping;
import io.github.sharnn.train.optim.LossScaler;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.step.TrainingStep;
import java.util.function.DoubleConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The recurrent state, the adapting weights and the sums of a running {@link DynamicEvaluation}.
 */
final class AdaptingRun {

  private final DynamicEvaluation.Settings settings;
  private final SHARNN block;
  private final NDManager manager; // closed with the trainer
  private final TrainingStep step;
  private final MixedPrecisionWeights weights;
  private final NDList trained;
  private final NDList rms = new NDList(); // sums of squares until completeRms
  private final LossScaler lossScale;
  private final DoubleConsumer losses;
  private @Nullable NDList gradients; // null before the first backward, which makes them
  private SHARNNState state;
  private int measured; // segments of the training part with finite gradients
  private double meanRms; // 0 while the rms are incomplete
  private double rate; // eta
  private long segments; // so far, of the training part or of the evaluated part
  private double nats;
  private long predicted;

  /**
   * Copies the trained weights into the adapting model. {@code losses} gets each segment's mean
   * loss.
   */
  AdaptingRun(
      DynamicEvaluation.Settings settings,
      MixedPrecisionWeights weights,
      Trainer trainer,
      NDList trained,
      DoubleConsumer losses) {
    this.settings = settings;
    this.block = SHARNN.of(weights.model());
    this.manager = trainer.getManager();
    this.step = new TrainingStep(trainer);
    this.weights = weights;
    this.trained = trained;
    this.losses = losses;
    this.state = block.zeroState(manager, settings.streams());
    for (NDArray weight : trained) {
      rms.add(manager.zeros(weight.getShape(), DataType.FLOAT32));
    }
    lossScale =
        weights.model().getDataType() == DataType.FLOAT16
            ? LossScaler.dynamic()
            : LossScaler.none();
    resetWeights();
  }

  /** Copies the trained weights into the adapting model. */
  void resetWeights() {
    Operators.get().call("copy", weights.masters(), trained).close();
    weights.sync();
  }

  /** Begins a text of one stream with a zero state. */
  void begin() {
    state = Evaluation.replace(state, block.zeroState(manager, 1), manager);
  }

  /** Returns the total loss of the tokens so far. */
  double nats() {
    return nats;
  }

  /** Returns the number of tokens so far. */
  long predicted() {
    return predicted;
  }

  /**
   * Measures the rms of the gradients on full-length segments of the training part, then resets the
   * state.
   */
  void measure(StreamDataset dataset, Corpus.Part training) {
    long whole = dataset.streamLength() / settings.sequenceLength();
    int count = (int) Math.min(whole, settings.statisticsSegments());
    for (Batch batch : Iterables.limit(dataset.getData(manager), count)) {
      run(batch);
      measureGradients();
    }
    completeRms(training);
    state = Evaluation.replace(state, block.zeroState(manager, settings.streams()), manager);
  }

  /** Predicts a segment, then adapts the weights. */
  void predict(Batch batch) {
    long tokens = TokenBatch.predicted(batch);
    double loss = run(batch);
    nats += loss * tokens;
    predicted += tokens;
    losses.accept(loss);
    adapt();
  }

  /** Runs forward and backward and returns the mean loss. */
  private double run(Batch batch) {
    state = Evaluation.stateBefore(batch, state, block, manager);
    try (batch) {
      Interrupts.check();
      TrainingStep.Slices slices =
          step.runSlices(batch, new SHARNNState[] {state}, lossScale.value(), manager);
      state = Evaluation.replace(state, slices.states()[0], manager);
      return slices.meanLoss();
    }
  }

  /** Adds the squares of the gradients to those so far. */
  private void measureGradients() {
    if (zeroUnlessFinite()) {
      float scale = (float) lossScale.value();
      Operators.get().call("square", new float[] {scale}, rms, gradients).close();
      measured++;
      lossScale.good();
    }
  }

  /** Computes the rms from the squares, and the step size from the rms. */
  private void completeRms(Corpus.Part training) {
    if (measured == 0) {
      throw new TrainingDivergedException(
          lenientFormat(
              "no segment of the %s has finite gradients: take more than %s of them",
              training, settings.statisticsSegments()));
    }
    float[] options = {measured, rms.stream().mapToLong(NDArray::size).sum(), settings.epsilon()};
    try (NDArray sums = Operators.get().call("root", options, rms)) {
      float[] values = sums.toFloatArray();
      meanRms = values[0];
      segments = 0;
      checkArgument(
          meanRms > 0, "all gradients of the %s are 0, so the weights cannot adapt", training);
      rate = settings.learningRate() / values[1];
    }
  }

  /** Updates the weights by the rule of {@link DynamicEvaluation}. */
  private void adapt() {
    if (zeroUnlessFinite()) {
      float[] options = {
        (float) (rate / lossScale.value()),
        (float) (settings.decay() / meanRms),
        (float) (settings.epsilon() * meanRms)
      };
      Operators.get().call("adapt", options, weights.masters(), gradients, trained, rms).close();
      weights.sync();
      lossScale.good();
    }
  }

  /** Returns true if the gradients are finite. Otherwise zeroes them and lowers the loss scale. */
  private boolean zeroUnlessFinite() {
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
              ? lenientFormat("segment %s of the training part: %s", segments, lossScale.cause())
              : lenientFormat(
                  "dynamic evaluation diverged at segment %s: %s; lower its learning rate, %s",
                  segments, lossScale.cause(), settings.learningRate()));
    }
    return false;
  }
}
