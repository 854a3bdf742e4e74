package io.github.sharnn.train.evaluate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Verify.verify;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.SoleTraining;
import io.github.sharnn.vocabulary.Perplexity;
import java.util.function.DoubleConsumer;

/**
 * How well a model predicts a part of a corpus if it goes on learning from what it has just
 * predicted. This is another figure than {@link Evaluation}'s, of a model and a way to adapt it
 * together: state both side by side, with the settings.
 *
 * <p>The part is cut into streams and segments as in {@link Evaluation}. Each segment is predicted
 * by the weights that the segments before it have left; only then does it change them, each weight
 * w by itself:
 *
 * <pre>{@code
 * w = w + min(1, decay * rms / mean) * (trained w - w) - eta * g / (rms + epsilon * mean)
 * }</pre>
 *
 * <p>where g is the gradient of the segment's mean loss in nats per token, rms the root of the mean
 * of the squares of such gradients over segments of the training part, at the trained weights, and
 * mean that of all weights' rms. A weight whose gradient is always large takes no larger steps than
 * others, and is held closer to its trained value. The segments for rms are read from the beginning
 * of the training part's streams, as many and as long as the part's.
 *
 * <p>The {@code learningRate} is what the segment's own loss would fall by, to first order, if its
 * gradients had just their rms:
 *
 * <pre>{@code
 * eta = learningRate / (sum over all weights of rms * rms / (rms + epsilon * mean))
 * }</pre>
 *
 * <p>All streams adapt the same weights. So no byte is predicted by weights that have seen it or
 * one after it in its own stream; with several streams, though, a byte of the first is predicted
 * after some from later in the part, in the others, were adapted to. Only with one stream, the
 * default, is the part read from its beginning to its end: quote that figure, or the number of
 * streams with it.
 *
 * <p>Paper: Krause et al., "Dynamic Evaluation of Neural Sequence Models", <a
 * href="https://arxiv.org/abs/1709.07432">arXiv:1709.07432</a>, section 5: steps divided by the RMS
 * of training gradients, and decay to the trained weights in proportion to it, at most all the way.
 * Ours are that epsilon is a multiple of the mean RMS and eta follows from a rate in nats, which
 * depends less on the model's size and the number of streams.
 *
 * <p>The model given stays as it is. Beside it this takes five times the memory of its FLOAT32
 * weights, in either precision, and what a segment takes: the copy that adapts, gradients, rms, and
 * two arrays more of each weight while they change. It counts as a training: not while {@link
 * io.github.sharnn.train.SHARNNTrainer#fit} runs in this process.
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
   * DynamicEvaluation.of(
   *     model, corpus.train(), corpus.test(), DynamicEvaluation.Settings.DEFAULT.streams(16));
   * }</pre>
   *
   * @param streams number of streams that are read side by side and adapt the same weights
   * @param sequenceLength steps per segment, from one change of the weights to the next
   * @param learningRate how far a change lowers the loss of the segment that it is made from, to
   *     first order, in nats per token
   * @param decay share of the way back to its trained value that a weight of mean rms goes at each
   *     change; others in proportion to their rms
   * @param epsilon what is added to each rms, in their mean: it keeps weights whose gradients were
   *     0 in the training part from leaping. The larger, the more alike the steps are divided
   * @param statisticsSegments segments of the training part that the rms are of; all whole ones if
   *     there are fewer
   * @param precision FLOAT32, or FLOAT16 with weights in FLOAT32; null for FLOAT16 on a GPU and
   *     FLOAT32 on a CPU
   */
  public record Settings(
      int streams,
      int sequenceLength,
      float learningRate,
      float decay,
      float epsilon,
      int statisticsSegments,
      DataType precision) {

    /**
     * One stream, segments of 64, learning rate 0.1, decay 0.01, epsilon 1, 200 segments of the
     * training part, precision by device. Cautious: a text that the model has nothing to learn from
     * costs little more than in {@link Evaluation}; on others a learning rate of 0.3 often gains
     * more.
     */
    public static final Settings DEFAULT = new Settings(1, 64, 0.1f, 0.01f, 1, 200, null);

    /**
     * Checks the numbers.
     *
     * @param streams at least 1
     * @param sequenceLength at least 1
     * @param learningRate at least 0 and finite; 0 for no adaptation
     * @param decay from 0 to 1
     * @param epsilon above 0 and finite
     * @param statisticsSegments at least 1
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
      checkArgument(
          epsilon > 0 && Float.isFinite(epsilon),
          "the epsilon of dynamic evaluation must be above 0 and finite, but is %s",
          epsilon);
      checkArgument(
          statisticsSegments >= 1,
          "statisticsSegments must be at least 1, but are %s",
          statisticsSegments);
      MixedPrecisionWeights.check(precision);
    }

    /**
     * Changes the number of streams.
     *
     * @param count at least 1
     * @return the new settings
     */
    public Settings streams(int count) {
      return new Settings(
          count, sequenceLength, learningRate, decay, epsilon, statisticsSegments, precision);
    }

    /**
     * Changes the steps per segment.
     *
     * @param steps at least 1
     * @return the new settings
     */
    public Settings sequenceLength(int steps) {
      return new Settings(
          streams, steps, learningRate, decay, epsilon, statisticsSegments, precision);
    }

    /**
     * Changes how far a segment moves the weights.
     *
     * @param rate at least 0
     * @return the new settings
     */
    public Settings learningRate(float rate) {
      return new Settings(
          streams, sequenceLength, rate, decay, epsilon, statisticsSegments, precision);
    }

    /**
     * Changes how fast the weights go back.
     *
     * @param share from 0 to 1
     * @return the new settings
     */
    public Settings decay(float share) {
      return new Settings(
          streams, sequenceLength, learningRate, share, epsilon, statisticsSegments, precision);
    }

    /**
     * Changes what is added to each RMS.
     *
     * @param multiple above 0
     * @return the new settings
     */
    public Settings epsilon(float multiple) {
      return new Settings(
          streams, sequenceLength, learningRate, decay, multiple, statisticsSegments, precision);
    }

    /**
     * Changes what the RMS are of.
     *
     * @param count at least 1
     * @return the new settings
     */
    public Settings statisticsSegments(int count) {
      return new Settings(streams, sequenceLength, learningRate, decay, epsilon, count, precision);
    }

    /**
     * Changes what forward and backward compute in.
     *
     * @param type FLOAT32 or FLOAT16
     * @return the new settings
     */
    public Settings precision(DataType type) {
      return new Settings(
          streams, sequenceLength, learningRate, decay, epsilon, statisticsSegments, type);
    }
  }

  /**
   * Evaluates a copy of a model that adapts, on the device of the model's manager.
   *
   * @param model a DJL model with an initialized {@link SHARNN} of FLOAT32 weights; unchanged
   * @param training what the model was trained on, of its vocabulary; with at least one whole
   *     segment in each stream
   * @param part the tokens to predict, of the model's vocabulary
   * @param settings how to adapt
   * @return the figure and how it was got
   * @throws IllegalArgumentException if the weights are not FLOAT32, a part is too short, it holds
   *     bytes outside the vocabulary, or it has another vocabulary than the model
   * @throws IllegalStateException at once if the model has no weights, or a {@code fit} is running
   *     in this process
   * @throws ai.djl.TrainingDivergedException if the gradients are no longer finite
   */
  public static DynamicEvaluation of(
      Model model, Corpus.Part training, Corpus.Part part, Settings settings) {
    return of(model, training, part, settings, loss -> {});
  }

  /** Also tells the mean loss of each segment in nats, as soon as it is predicted. */
  static DynamicEvaluation of(
      Model model,
      Corpus.Part training,
      Corpus.Part part,
      Settings settings,
      DoubleConsumer segments) {
    SHARNN block = SHARNN.initialized(model);
    Evaluation.checkVocabulary(block, training);
    Evaluation.checkVocabulary(block, part);
    StreamDataset statistics = dataset(block, training, settings);
    checkArgument(
        statistics.streamLength() >= settings.sequenceLength(),
        "%s is too short for a segment of %s in each of %s streams, from which dynamic evaluation"
            + " takes its statistics: use shorter segments or fewer streams",
        training,
        settings.sequenceLength(),
        settings.streams());
    StreamDataset dataset = dataset(block, part, settings).withRest();
    Device device = model.getNDManager().getDevice();
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new SequenceCrossEntropy()).optDevices(new Device[] {device});
    Shape tokens = new Shape(settings.streams(), settings.sequenceLength());
    DataType precision = MixedPrecisionWeights.orDefault(settings.precision(), device);
    SoleTraining.begin(model.getName());
    try (Model copy = SHARNN.of(block.config().withoutDropout()).newModel("adapting", device);
        MixedPrecisionWeights weights = MixedPrecisionWeights.of(copy, precision, tokens);
        Trainer trainer = weights.model().newTrainer(config);
        NDList trained = MixedPrecisionWeights.aliases(model)) {
      trainer.initialize(tokens);
      checkArgument(
          trained.head().getDataType() == DataType.FLOAT32,
          "a model that adapts must have FLOAT32 weights, but has %s",
          trained.head().getDataType());
      AdaptingRun run = new AdaptingRun(settings, weights, trainer, trained, segments);
      run.measure(statistics, training);
      for (Batch batch : dataset.getData(trainer.getManager())) {
        run.predict(batch);
      }
      verify(run.predicted() == part.length() - 1, "predicted %s of %s", run.predicted(), part);
      return new DynamicEvaluation(
          new Perplexity(run.nats(), run.predicted(), part.units()), settings);
    } finally {
      SoleTraining.end();
    }
  }

  private static StreamDataset dataset(SHARNN block, Corpus.Part part, Settings settings) {
    return StreamDataset.fixed(part, settings.streams(), settings.sequenceLength())
        .withSplits(block.config().splits());
  }
}
