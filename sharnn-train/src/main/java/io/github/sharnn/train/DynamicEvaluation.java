package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Verify.verify;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.torchscript.Operators;
import io.github.sharnn.vocabulary.Perplexity;
import java.util.List;
import java.util.function.DoubleConsumer;

/**
 * How well a model predicts a part of a corpus if it goes on learning from what it has just
 * predicted. This is another figure than {@link Evaluation}'s, of a model and a way to adapt it
 * together: state both side by side, with the settings.
 *
 * <p>The part is cut into streams and segments as in {@link Evaluation}. Each segment is predicted
 * by the weights that the segments before it have left; only then does it change them:
 *
 * <pre>{@code
 * weights = weights - learningRate * min(1, 1 / norm) * gradient
 * weights = weights + decay * (trained weights - weights)
 * }</pre>
 *
 * <p>where the gradient is that of the segment's mean loss in nats per token and norm its global L2
 * norm. All streams adapt the same weights. So no byte is predicted by weights that have seen it or
 * one after it in its own stream; with several streams, though, a byte of the first is predicted
 * after some from later in the part, in the others, were adapted to. Only with one stream, the
 * default, is the part read from its beginning to its end: quote that figure, or the number of
 * streams with it.
 *
 * <p>Paper: Krause et al., "Dynamic Evaluation of Neural Sequence Models", <a
 * href="https://arxiv.org/abs/1709.07432">arXiv:1709.07432</a>: its update by stochastic gradient
 * descent with decay to the trained weights; clipping is ours.
 *
 * <p>The model given stays as it is: what adapts is a copy, which takes three times the memory of
 * its FLOAT32 weights. It counts as a training: not while {@link SHARNNTrainer#fit} runs in this
 * process.
 *
 * @param perplexity what the part cost, by each unit
 * @param settings how
 */
public record DynamicEvaluation(Perplexity perplexity, Settings settings) {

  /**
   * Returns {@link Perplexity#bitsPerByte()}.
   *
   * @return mean of -log2 p over the bytes of the predicted tokens
   */
  public double bitsPerCharacter() {
    return perplexity.bitsPerByte();
  }

  /**
   * Returns how many bytes were predicted.
   *
   * @return of a model of bytes, the part's length less 1; of another, rounded
   */
  public long predictedBytes() {
    return Math.round(perplexity.predictedBytes());
  }

  /**
   * How a model adapts.
   *
   * <pre>{@code
   * DynamicEvaluation.of(model, corpus.test(), DynamicEvaluation.Settings.DEFAULT.streams(16));
   * }</pre>
   *
   * @param streams number of streams that are read side by side and adapt the same weights
   * @param sequenceLength steps per segment, from one change of the weights to the next
   * @param learningRate how far a segment moves the weights, all together, in L2 norm at most
   * @param decay share of the way back to the trained weights that each change ends with
   * @param precision FLOAT32, or FLOAT16 with weights in FLOAT32; null for FLOAT16 on a GPU and
   *     FLOAT32 on a CPU
   */
  public record Settings(
      int streams, int sequenceLength, float learningRate, float decay, DataType precision) {

    /** One stream, segments of 64, learning rate 0.1, decay 0.001, precision by device. */
    public static final Settings DEFAULT = new Settings(1, 64, 0.1f, 0.001f, null);

    /**
     * Checks the numbers.
     *
     * @param streams at least 1
     * @param sequenceLength at least 1
     * @param learningRate at least 0 and finite; 0 for no adaptation
     * @param decay from 0 to 1
     * @param precision FLOAT32, FLOAT16 or null
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public Settings {
      checkArgument(streams >= 1, "streams must be at least 1, but are %s", streams);
      checkArgument(
          sequenceLength >= 1, "sequenceLength must be at least 1, but is %s", sequenceLength);
      checkArgument(
          learningRate >= 0 && Float.isFinite(learningRate),
          "the learning rate of dynamic evaluation must be at least 0 and finite, but is %s",
          learningRate);
      checkArgument(
          decay >= 0 && decay <= 1,
          "the decay of dynamic evaluation must lie between 0 and 1, but is %s",
          decay);
      WorkingWeights.check(precision);
    }

    /**
     * Changes the number of streams.
     *
     * @param count at least 1
     * @return the new settings
     */
    public Settings streams(int count) {
      return new Settings(count, sequenceLength, learningRate, decay, precision);
    }

    /**
     * Changes the steps per segment.
     *
     * @param steps at least 1
     * @return the new settings
     */
    public Settings sequenceLength(int steps) {
      return new Settings(streams, steps, learningRate, decay, precision);
    }

    /**
     * Changes how far a segment moves the weights.
     *
     * @param rate at least 0
     * @return the new settings
     */
    public Settings learningRate(float rate) {
      return new Settings(streams, sequenceLength, rate, decay, precision);
    }

    /**
     * Changes how fast the weights go back.
     *
     * @param share from 0 to 1
     * @return the new settings
     */
    public Settings decay(float share) {
      return new Settings(streams, sequenceLength, learningRate, share, precision);
    }

    /**
     * Changes what forward and backward compute in.
     *
     * @param type FLOAT32 or FLOAT16
     * @return the new settings
     */
    public Settings precision(DataType type) {
      return new Settings(streams, sequenceLength, learningRate, decay, type);
    }
  }

  /**
   * Evaluates a copy of a model that adapts, on the device of the model's manager.
   *
   * @param model a DJL model with an initialized {@link SHARNN} of FLOAT32 weights; unchanged
   * @param part the tokens to predict, of the model's vocabulary
   * @param settings how to adapt
   * @return the figure and how it was got
   * @throws IllegalArgumentException if the weights are not FLOAT32, the part is too short, or it
   *     holds bytes outside the vocabulary, or it has another vocabulary than the model
   * @throws IllegalStateException at once if a {@code fit} is running in this process
   * @throws ai.djl.TrainingDivergedException if the gradients are no longer finite
   */
  public static DynamicEvaluation of(Model model, Corpus.Part part, Settings settings) {
    return of(model, part, settings, loss -> {});
  }

  /** Also tells the mean loss of each segment in nats, as soon as it is predicted. */
  static DynamicEvaluation of(
      Model model, Corpus.Part part, Settings settings, DoubleConsumer segments) {
    SHARNN block = SHARNN.of(model);
    Evaluation.checkVocabulary(block, part);
    List<Integer> splits = block.config().splits();
    StreamDataset dataset =
        StreamDataset.fixed(part, settings.streams(), settings.sequenceLength()).withSplits(splits);
    Device device = model.getNDManager().getDevice();
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new SequenceCrossEntropy()).optDevices(new Device[] {device});
    Shape tokens = new Shape(settings.streams(), settings.sequenceLength());
    DataType precision = settings.precision();
    if (precision == null) {
      precision = device.isGpu() ? DataType.FLOAT16 : DataType.FLOAT32;
    }
    SoleTraining.begin(model.getName());
    try (Model copy = SHARNN.of(block.config().withoutDropout()).newModel("adapting", device);
        WorkingWeights weights = WorkingWeights.of(copy, precision, tokens);
        Trainer trainer = weights.model().newTrainer(config);
        NDList trained = WorkingWeights.aliases(model)) {
      trainer.initialize(tokens);
      checkArgument(
          trained.head().getDataType() == DataType.FLOAT32,
          "a model that adapts must have FLOAT32 weights, but has %s",
          trained.head().getDataType());
      Run run = new Run(settings, weights, trainer, trained, segments);
      for (Batch batch : dataset.getData(trainer.getManager())) {
        run.predict(batch);
      }
      // the last stream ends where what is left of the part begins
      long done = dataset.streamLength() * settings.streams();
      if (done < part.length() - 1) {
        run.lastStreamAlone();
        StreamDataset rest =
            StreamDataset.fixed(part.from(done), 1, settings.sequenceLength()).withSplits(splits);
        for (Batch batch : rest.getData(trainer.getManager())) {
          run.predict(batch);
        }
      }
      verify(run.predicted == part.length() - 1, "predicted %s of %s", run.predicted, part);
      return new DynamicEvaluation(new Perplexity(run.nats, run.predicted, part.units()), settings);
    } finally {
      SoleTraining.end();
    }
  }

  /** The weights that adapt, the state and the sums. */
  private static final class Run {

    private static final double MAX_NORM = 1;

    private final Settings settings;
    private final WorkingWeights weights;
    private final NDManager manager; // closed with the trainer
    private final TrainingStep step;
    private final NDList adapting;
    private final NDList trained;
    private final LossScale lossScale;
    private final DoubleConsumer segments;
    private NDList gradients; // null before the first backward, which makes them
    private SHARNNState state;
    private double nats;
    private long predicted;
    private long changes;

    Run(
        Settings settings,
        WorkingWeights weights,
        Trainer trainer,
        NDList trained,
        DoubleConsumer segments) {
      this.settings = settings;
      this.weights = weights;
      this.manager = trainer.getManager();
      this.step = new TrainingStep(trainer);
      this.adapting = weights.masters();
      this.trained = trained;
      this.segments = segments;
      this.lossScale =
          weights.model().getDataType() == DataType.FLOAT16
              ? LossScale.dynamic()
              : LossScale.none();
      Operators.get().call("copy", adapting, trained).close();
      weights.follow();
      this.state = SHARNN.of(weights.model()).zeroState(manager, settings.streams());
    }

    void predict(Batch batch) {
      long tokens = batch.getData().head().size();
      double scale = lossScale.value();
      try (batch) {
        TrainingStep.Slices slices =
            step.runSlices(batch, new SHARNNState[] {state}, scale, manager);
        double loss = slices.meanLoss();
        nats += loss * tokens;
        predicted += tokens;
        segments.accept(loss);
        replaceState(slices.states()[0]);
      }
      adapt(scale);
    }

    private void adapt(double scale) {
      if (gradients == null) {
        gradients = GlobalNorm.gradients(weights.model().getBlock());
        gradients.attach(manager);
      }
      changes++;
      double norm = GlobalNorm.norm(gradients) / scale;
      if (!Double.isFinite(norm)) {
        Operators.get().call("zero", gradients).close();
        lossScale.overflow(changes);
        return;
      }
      float rate = (float) (settings.learningRate() * GlobalNorm.scale(norm, MAX_NORM) / scale);
      Operators.get().call("descend", new float[] {rate}, adapting, gradients).close();
      Operators.get().call("lerp", new float[] {settings.decay()}, adapting, trained).close();
      weights.follow();
      lossScale.good();
    }

    /** For what does not fill all streams. */
    void lastStreamAlone() {
      replaceState(state.streams(settings.streams() - 1, settings.streams()));
    }

    private void replaceState(SHARNNState next) {
      state.close();
      state = next.attach(manager);
    }
  }
}
