package io.github.sharnn.train.evaluate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Verify.verify;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Records;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.step.SoleTraining;
import io.github.sharnn.vocabulary.Perplexity;
import java.io.Serializable;
import java.util.function.DoubleConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Dynamic evaluation: the figures of a model that keeps learning from the text it has just
 * predicted. The figures depend on the model and on how it adapts. Report the settings, and the
 * figures of {@link Evaluation} too.
 *
 * <pre>{@code
 * DynamicEvaluation.of(
 *     model, corpus.train(), corpus.test(), DynamicEvaluation.Settings.DEFAULT.streams(16));
 * }</pre>
 *
 * <p>The part is cut into streams and segments as in {@link Evaluation}. The weights change only
 * after a segment is predicted. Each weight w then changes by
 *
 * <pre>{@code
 * w = w + min(1, decay * rms / mean) * (trained w - w) - eta * g / (rms + epsilon * mean)
 * eta = learningRate / (sum over all weights of rms * rms / (rms + epsilon * mean))
 * }</pre>
 *
 * <ul>
 *   <li>g is the gradient of the segment's mean loss, in nats per token.
 *   <li>rms is the root mean square of the weight's gradients over segments of the training part,
 *       at the trained weights. The segments come from the beginning of the training part's
 *       streams, in the same number of streams and with the same length.
 *   <li>mean is the mean rms of all weights. A weight with large gradients takes no larger steps
 *       than other weights, and decays faster to its trained value.
 *   <li>learningRate is the first-order decrease of the segment's own loss if every gradient equals
 *       its rms.
 * </ul>
 *
 * <p>All streams adapt the same weights. Within a stream, no byte is predicted by weights that have
 * seen that byte or a later one. With several streams, the first stream benefits from later text of
 * the part. Only one stream, the default, reads the part from beginning to end. Report the number
 * of streams with the figure.
 *
 * <p>An {@link AdaptingScorer} adapts in the same way to single texts.
 *
 * <p>The model does not change. Dynamic evaluation needs additional memory: five times that of the
 * FLOAT32 weights, and that of a training step. It counts as training: it can't run while {@link
 * io.github.sharnn.train.SHARNNTrainer#fit} runs in the same process.
 *
 * <p>Paper: Krause et al., "Dynamic Evaluation of Neural Sequence Models", <a
 * href="https://arxiv.org/abs/1709.07432">arXiv:1709.07432</a>, section 5. Two things differ here:
 * epsilon is a multiple of the mean rms, and eta follows from a rate in nats. Both depend less on
 * the model's size and the number of streams.
 *
 * @param perplexity the figures, per byte, token and word
 * @param settings the way the weights adapted
 * @serial exclude
 */
public record DynamicEvaluation(Perplexity perplexity, Settings settings) implements Serializable {

  /** {@return the mean of -log2 p over the bytes, {@link Perplexity#bitsPerByte()}} */
  public double bitsPerCharacter() {
    return perplexity.bitsPerByte();
  }

  /** {@return the number of bytes predicted, rounded if tokens are longer than a byte} */
  public long predictedBytes() {
    return Math.round(perplexity.predictedBytes());
  }

  /**
   * The way a model adapts.
   *
   * @param streams number of streams, which are read side by side, at least 1
   * @param sequenceLength steps per segment, after which the weights change, at least 1
   * @param learningRate fall of the segment's loss by a change, to first order, in nats per token;
   *     at least 0 and finite; 0 for no adaptation
   * @param decay fraction of the distance to its trained value by which a weight of mean rms decays
   *     at each update, from 0 to 1; proportional to rms for other weights
   * @param epsilon number added to each rms, in units of the mean rms, above 0 and finite; it
   *     bounds the steps of weights whose gradients were 0 in the training part
   * @param statisticsSegments maximum number of training segments for the rms, at least 1
   * @param precision FLOAT32, or FLOAT16 with FLOAT32 weights; null for FLOAT16 on a GPU and
   *     FLOAT32 on a CPU
   * @serial exclude
   */
  public record Settings(
      int streams,
      int sequenceLength,
      float learningRate,
      float decay,
      float epsilon,
      int statisticsSegments,
      @Nullable DataType precision)
      implements Serializable {

    /**
     * One stream, segments of 64, learning rate 0.1, decay 0.01, epsilon 1, 200 segments of the
     * training part. This is cautious: a text with nothing to learn from costs little more than in
     * {@link Evaluation}. On other texts, a learning rate of 0.3 often gains more.
     */
    public static final Settings DEFAULT = new Settings(1, 64, 0.1f, 0.01f, 1, 200, null);

    /**
     * Checks the numbers.
     *
     * @param streams at least 1
     * @param sequenceLength at least 1
     * @param learningRate at least 0 and finite
     * @param decay from 0 to 1
     * @param epsilon above 0 and finite
     * @param statisticsSegments at least 1
     * @param precision FLOAT32, FLOAT16 or null
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public Settings {
      checkArgument(streams >= 1, "streams must be at least 1, but is %s", streams);
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
     * {@return these settings with another number of streams}
     *
     * @param count at least 1
     */
    public Settings streams(int count) {
      return Records.with(this, "streams", count);
    }

    /**
     * {@return these settings with another number of steps per segment}
     *
     * @param steps at least 1
     */
    public Settings sequenceLength(int steps) {
      return Records.with(this, "sequenceLength", steps);
    }

    /**
     * {@return these settings with another learning rate}
     *
     * @param rate at least 0
     */
    public Settings learningRate(float rate) {
      return Records.with(this, "learningRate", rate);
    }

    /**
     * {@return these settings with another decay to the trained weights}
     *
     * @param share from 0 to 1
     */
    public Settings decay(float share) {
      return Records.with(this, "decay", share);
    }

    /**
     * {@return these settings with another number added to each rms}
     *
     * @param multiple above 0
     */
    public Settings epsilon(float multiple) {
      return Records.with(this, "epsilon", multiple);
    }

    /**
     * {@return these settings with another number of segments to take the rms from}
     *
     * @param count at least 1
     */
    public Settings statisticsSegments(int count) {
      return Records.with(this, "statisticsSegments", count);
    }

    /**
     * {@return these settings with another type to compute in}
     *
     * @param type FLOAT32 or FLOAT16
     */
    public Settings precision(DataType type) {
      return Records.with(this, "precision", type);
    }
  }

  /**
   * Evaluates a copy of a model that adapts, on the device of the model's manager.
   *
   * @param model a DJL model with an initialized {@link SHARNN} of FLOAT32 weights
   * @param training the text that the model was trained on, with at least one whole segment in each
   *     stream
   * @param part the tokens to predict
   * @param settings the way to adapt
   * @return the figures
   * @throws IllegalArgumentException if the weights are not FLOAT32, or a part is too short, has
   *     bytes outside the vocabulary, or has another vocabulary than the model
   * @throws IllegalStateException if the model has no weights, is closed or quantized, or a {@code
   *     fit} is running in this process
   * @throws ai.djl.TrainingDivergedException if the gradients are no longer finite
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public static DynamicEvaluation of(
      Model model, Corpus.Part training, Corpus.Part part, Settings settings) {
    Lifetime.Lease lease = SHARNN.lease(model);
    try (lease) {
      return of(model, training, part, settings, loss -> {});
    }
  }

  /** Also reports the mean loss of each segment, in nats, before the weights change. */
  static DynamicEvaluation of(
      Model model,
      Corpus.Part training,
      Corpus.Part part,
      Settings settings,
      DoubleConsumer segments) {
    SHARNN block = SHARNN.initialized(model);
    StreamDataset statistics = statistics(block, training, settings);
    Evaluation.checkVocabulary(block, part);
    StreamDataset dataset = dataset(block, part, settings).withRest();
    SoleTraining.begin(model.getName());
    try (AdaptingRun run =
        new AdaptingRun(model, false, settings, statistics, training, segments)) {
      for (Batch batch : dataset.getData(run.manager())) {
        run.predict(batch);
      }
      verify(run.predicted() == part.predicted(), "predicted %s of %s", run.predicted(), part);
      return new DynamicEvaluation(
          new Perplexity(run.nats(), run.predicted(), part.units()), settings);
    } finally {
      SoleTraining.end();
    }
  }

  /** Checks the training part and returns its segments, from which the rms are measured. */
  static StreamDataset statistics(SHARNN block, Corpus.Part training, Settings settings) {
    Evaluation.checkVocabulary(block, training);
    StreamDataset statistics = dataset(block, training, settings);
    checkArgument(
        statistics.streamLength() >= settings.sequenceLength(),
        "%s is too short for a segment of %s in each of %s streams, from which dynamic evaluation"
            + " takes its statistics: use shorter segments or fewer streams",
        training,
        settings.sequenceLength(),
        settings.streams());
    return statistics;
  }

  private static StreamDataset dataset(SHARNN block, Corpus.Part part, Settings settings) {
    return StreamDataset.fixed(part, settings.streams(), settings.sequenceLength())
        .withSplits(block.config().splits());
  }
}
