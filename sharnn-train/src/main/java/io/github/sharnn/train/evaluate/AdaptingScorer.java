package io.github.sharnn.train.evaluate;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.Batchifier;
import io.github.sharnn.SHARNN;
import io.github.sharnn.TextModel;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.softmax.ClusterLabels;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.SoleTraining;
import io.github.sharnn.vocabulary.TokenEncoder;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A scorer whose model learns from single texts, by the rule of {@link DynamicEvaluation}. Score a
 * text first; then learn from it, if it is normal:
 *
 * <pre>{@code
 * try (AdaptingScorer adapting =
 *     AdaptingScorer.of(model, corpus.train(), DynamicEvaluation.Settings.DEFAULT)) {
 *   Score.Totals totals = adapting.scorer().score(line).totals();
 *   if (totals.zScore() < threshold) {
 *     adapting.learn(line.getBytes(StandardCharsets.UTF_8));
 *   }
 * }
 * }</pre>
 *
 * <p>The scorer predicts with a copy of the model. {@link #learn} changes the copy, and the given
 * model stays as it is. {@link #learn} and {@link #reset} are for one thread, and no other thread
 * may score meanwhile. {@link #learn} counts as training: it can't run while {@link
 * io.github.sharnn.train.SHARNNTrainer#fit} runs in the same process.
 */
public final class AdaptingScorer implements AutoCloseable {

  private final int sequenceLength;
  private final AdaptingRun run;
  private final Scorer scorer;

  private AdaptingScorer(int sequenceLength, AdaptingRun run, Scorer scorer) {
    this.sequenceLength = sequenceLength;
    this.run = run;
    this.scorer = scorer;
  }

  /**
   * Copies a model and measures the typical size of its gradients.
   *
   * @param model a DJL model with an initialized {@link SHARNN} of FLOAT32 weights, which may be
   *     closed afterwards
   * @param training the text that the model was trained on, with at least one whole segment in each
   *     stream
   * @param settings the way to adapt; the streams and the segments' length apply to the training
   *     part, and the segments' length also to {@link #learn}
   * @return a scorer with the model's weights, on the device of the model's manager
   * @throws IllegalArgumentException if the weights are not FLOAT32, the model's tokens are not
   *     text, or the training part is too short or has another vocabulary than the model
   * @throws IllegalStateException if the model has no weights, is closed or quantized, or a {@code
   *     fit} is running in this process
   * @throws ai.djl.TrainingDivergedException if no gradients are finite
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public static AdaptingScorer of(
      Model model, Corpus.Part training, DynamicEvaluation.Settings settings) {
    Lifetime.Lease lease = SHARNN.lease(model);
    try (lease) {
      SHARNN block = SHARNN.initialized(model);
      StreamDataset statistics = DynamicEvaluation.statistics(block, training, settings);
      SoleTraining.begin(model.getName());
      try {
        AdaptingRun run = new AdaptingRun(model, true, settings, statistics, training, loss -> {});
        try {
          Scorer scorer = Scorer.builder(run.model()).build();
          return new AdaptingScorer(settings.sequenceLength(), run, scorer);
        } catch (RuntimeException e) {
          run.close();
          throw e;
        }
      } finally {
        SoleTraining.end();
      }
    }
  }

  /** {@return a scorer with the weights as they are at each call, until this object is closed} */
  public Scorer scorer() {
    return scorer;
  }

  /**
   * Learns from a text: the weights change after each segment of {@code sequenceLength} tokens. The
   * text begins as in {@link #scorer}, without any text before it.
   *
   * @param text the bytes, possibly none
   * @return the bits of the text, each segment predicted before the weights change for it
   * @throws IllegalArgumentException if the model's vocabulary lacks a byte
   * @throws IllegalStateException if this object is closed, or a {@code fit} is running in this
   *     process
   * @throws ai.djl.TrainingDivergedException if the gradients are no longer finite
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public double learn(byte[] text) {
    int[] tokens = tokens(text);
    Lifetime.Lease lease = SHARNN.lease(run.model());
    try (lease) {
      SoleTraining.begin("adapting");
      try {
        run.begin();
        double before = run.nats();
        for (int start = 1; start < tokens.length; start += sequenceLength) {
          run.predict(batch(tokens, start, Math.min(start + sequenceLength, tokens.length)));
        }
        return (run.nats() - before) / SequenceCrossEntropy.NATS_PER_BIT;
      } finally {
        SoleTraining.end();
      }
    }
  }

  /** Returns the token before a text, and the text's tokens. */
  private int[] tokens(byte[] text) {
    IntStream.Builder tokens = IntStream.builder().add(scorer.contextToken());
    TokenEncoder encoder = SHARNN.of(run.model()).vocabulary().encoder(tokens::add);
    encoder.write(text, 0, text.length);
    encoder.end();
    int[] all = tokens.build().toArray();
    TextModel checks = new TextModel(run.model());
    for (int i = 1; i < all.length; i++) {
      checks.check("text", all[i], i - 1);
    }
    return all;
  }

  /** Returns a segment of one stream, whose labels are the tokens from start to end. */
  private Batch batch(int[] tokens, int start, int end) {
    NDManager manager = run.manager().newSubManager();
    Shape shape = new Shape(1, end - start);
    long[] values = longs(tokens, start, end);
    NDArray data = manager.create(longs(tokens, start - 1, end - 1), shape);
    NDArray labels = manager.create(values, shape);
    return new Batch(
        manager,
        new NDList(data),
        ClusterLabels.of(labels, values, SHARNN.of(run.model()).config().splits()),
        1,
        Batchifier.STACK,
        Batchifier.STACK,
        start,
        tokens.length);
  }

  private static long[] longs(int[] tokens, int start, int end) {
    return Arrays.stream(tokens, start, end).asLongStream().toArray();
  }

  /** Returns the weights to those of the given model. */
  public void reset() {
    Lifetime.Lease lease = SHARNN.lease(run.model());
    try (lease) {
      run.resetWeights();
    }
  }

  /** Frees the copy. */
  @Override
  public void close() {
    run.close();
  }
}
