package io.github.sharnn.train.evaluate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
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
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.TrainingStep;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.DoubleConsumer;
import org.jspecify.annotations.Nullable;

/** A copy of a model that adapts, with its recurrent state and the sums over what it predicts. */
final class AdaptingRun implements AutoCloseable {

  private final DynamicEvaluation.Settings settings;
  private final Deque<Runnable> closers = new ArrayDeque<>(); // the last resource first
  private final Model copy;
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
   * Copies a model and measures the rms of its gradients.
   *
   * @param mayClose whether the model may be closed before this object
   * @param statistics segments of the training part
   * @param losses gets the mean loss of each segment to predict
   */
  AdaptingRun(
      Model model,
      boolean mayClose,
      DynamicEvaluation.Settings settings,
      StreamDataset statistics,
      Corpus.Part training,
      DoubleConsumer losses) {
    this.settings = settings;
    this.losses = losses;
    SHARNN origin = SHARNN.of(model);
    Device device = model.getNDManager().getDevice();
    Shape tokens = new Shape(settings.streams(), settings.sequenceLength());
    boolean done = false;
    try {
      SHARNN adapting = SHARNN.of(origin.config().withoutDropout(), origin.vocabulary());
      copy = adapting.newModel("adapting", device);
      closers.push(copy::close);
      DataType precision = MixedPrecisionWeights.orDefault(settings.precision(), device);
      weights = MixedPrecisionWeights.of(copy, precision, tokens);
      closers.push(weights::close);
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(new SequenceCrossEntropy()).optDevices(new Device[] {device});
      Trainer trainer = weights.model().newTrainer(config);
      closers.push(trainer::close);
      trainer.initialize(tokens);
      manager = trainer.getManager();
      step = new TrainingStep(trainer);
      block = SHARNN.of(weights.model());
      trained = trained(model, mayClose);
      state = block.zeroState(manager, settings.streams());
      for (NDArray weight : trained) {
        rms.add(manager.zeros(weight.getShape(), DataType.FLOAT32));
      }
      lossScale =
          weights.model().getDataType() == DataType.FLOAT16
              ? LossScaler.dynamic()
              : LossScaler.none();
      resetWeights();
      measure(statistics, training);
      done = true;
    } finally {
      if (!done) {
        close();
      }
    }
  }

  /** Returns the model's weights, or copies of them. */
  private NDList trained(Model model, boolean copies) {
    NDList aliases = MixedPrecisionWeights.aliases(model);
    aliases.attach(manager);
    DataType type = aliases.head().getDataType();
    checkArgument(
        type == DataType.FLOAT32,
        "a model that adapts must have FLOAT32 weights, but has %s",
        type);
    if (!copies) {
      return aliases;
    }
    try (aliases) {
      return new NDList(aliases.stream().map(NDArray::duplicate).toList());
    }
  }

  /** Returns the model that adapts. */
  Model model() {
    return copy;
  }

  /** Returns the owner of batches. */
  NDManager manager() {
    return manager;
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

  /** Measures the gradients' rms on whole segments of the training part, then resets the state. */
  private void measure(StreamDataset dataset, Corpus.Part training) {
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

  @Override
  public void close() {
    while (!closers.isEmpty()) {
      closers.pop().run();
    }
  }
}
