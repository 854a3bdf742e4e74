package io.github.sharnn.train.evaluate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Verify.verify;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.data.TokenBatch;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.TokenWeights;
import io.github.sharnn.vocabulary.Perplexity;
import java.io.Serializable;
import java.util.function.BiConsumer;

/**
 * The cross-entropy of a model on a part of a corpus, as bits per character and perplexity. The
 * trainer also uses this class for its validation figures.
 *
 * <pre>{@code
 * Evaluation.of(model, corpus.test()).bitsPerCharacter();
 * Evaluation.of(model, corpus.test(), Evaluation.Settings.DEFAULT.streams(64)); // faster on a GPU
 * }</pre>
 *
 * <p>With {@link io.github.sharnn.train.data.Documents}, each document is read from a zero state,
 * and every token is predicted. The number of streams then changes the speed only.
 *
 * <p>A part without documents is cut into equal contiguous streams, which are read side by side.
 * Each stream starts from a zero state and carries its state to its end. The remaining tokens,
 * which do not fill all streams, continue the last stream. Every token but the first is predicted
 * exactly once. More streams are faster on a GPU and give a slightly worse figure, because each of
 * them starts without context: report the number of streams with the figure.
 *
 * <p>The window does not slide. The first token of a segment sees up to {@code memoryLength}
 * positions back, and the last one up to {@code sequenceLength} more.
 *
 * <p>Many threads may evaluate one model at once, also while another model is trained. Do not
 * evaluate a model while another thread trains it, because its weights change during the
 * evaluation. Evaluation records no gradients.
 *
 * @param perplexity the figures, per byte, token and word
 * @param settings how the part was read
 * @param memoryLength positions that the model's attention remembers
 * @serial exclude
 */
public record Evaluation(Perplexity perplexity, Settings settings, int memoryLength)
    implements Serializable {

  /**
   * The way to read a part.
   *
   * @param streams number of streams, at least 1; 1 gives every token its whole context
   * @param sequenceLength steps per segment, at least 1; changes the result only if the text is
   *     longer than the memory
   * @serial exclude
   */
  public record Settings(int streams, int sequenceLength) implements Serializable {

    /** One stream, in segments of 256. */
    public static final Settings DEFAULT = new Settings(1, 256);

    /**
     * {@return these settings with another number of streams}
     *
     * @param count at least 1
     */
    public Settings streams(int count) {
      return new Settings(count, sequenceLength);
    }

    /**
     * {@return these settings with another number of steps per segment}
     *
     * @param steps at least 1
     */
    public Settings sequenceLength(int steps) {
      return new Settings(streams, steps);
    }
  }

  /** {@return the mean of -log2 p over the bytes, {@link Perplexity#bitsPerByte()}} */
  public double bitsPerCharacter() {
    return perplexity.bitsPerByte();
  }

  /** {@return the number of bytes predicted, rounded if tokens are longer than a byte} */
  public long predictedBytes() {
    return Math.round(perplexity.predictedBytes());
  }

  /**
   * Evaluates a model with {@link Settings#DEFAULT}.
   *
   * @param model a DJL model with an initialized {@link SHARNN}
   * @param part the tokens to predict, in the model's vocabulary
   * @return the figures
   * @throws IllegalArgumentException if the part is too short, has bytes outside the vocabulary, or
   *     has another vocabulary than the model
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public static Evaluation of(Model model, Corpus.Part part) {
    return of(model, part, Settings.DEFAULT);
  }

  /**
   * Evaluates a model without dropout, on the device of the model's manager.
   *
   * @param model a DJL model with an initialized {@link SHARNN}
   * @param part the tokens to predict, in the model's vocabulary
   * @param settings how to read the part
   * @return the figures
   * @throws IllegalArgumentException if a setting is below 1, or the part is too short, has bytes
   *     outside the vocabulary, or has another vocabulary than the model
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public static Evaluation of(Model model, Corpus.Part part, Settings settings) {
    return of(model, part, settings, (batch, predictions) -> Interrupts.check());
  }

  /**
   * Evaluates a model and shows each batch and its predictions to a listener. An interrupt of the
   * thread does not end this evaluation, unless the listener throws an exception.
   *
   * @param model a DJL model with an initialized {@link SHARNN}
   * @param part the tokens to predict, in the model's vocabulary
   * @param settings how to read the part
   * @param listener gets each batch, and the logits {@code (B, T, V)} or with splits the labels'
   *     log-probabilities {@code (B, T)}; both are closed afterwards
   * @return the figures
   * @throws IllegalArgumentException if a setting is below 1, or the part is too short, has bytes
   *     outside the vocabulary, or has another vocabulary than the model
   * @throws IllegalStateException if the model has no weights, or is closed
   */
  public static Evaluation of(
      Model model, Corpus.Part part, Settings settings, BiConsumer<Batch, NDList> listener) {
    Lifetime lifetime = SHARNN.lifetime(model);
    Lifetime.Lease lease = lifetime.lease();
    try (lease;
        NDManager manager = lifetime.manager().newSubManager()) {
      SHARNN block = SHARNN.initialized(model);
      checkVocabulary(block, part);
      StreamDataset dataset =
          StreamDataset.fixed(part, settings.streams, settings.sequenceLength)
              .withSplits(block.config().splits())
              .withRest();
      SequenceCrossEntropy loss = new SequenceCrossEntropy();
      double nats = 0;
      long predicted = 0;
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNNState state = block.zeroState(manager, settings.streams);
      for (Batch batch : dataset.getData(manager)) {
        try (batch) {
          state = stateBefore(batch, state, block, manager);
          NDArray tokens = batch.getData().head();
          long counted = TokenBatch.predicted(batch);
          NDList labels = batch.getLabels();
          SHARNN.Output output =
              block.forward(parameterStore, tokens, TokenWeights.without(labels), state, false);
          NDList predictions = new NDList(output.logits());
          double mean = loss.evaluate(labels, predictions).getFloat();
          nats += mean * counted;
          predicted += counted;
          listener.accept(batch, predictions);
          state = replace(state, output.state(), manager);
        }
      }
      verify(predicted == part.predicted(), "predicted %s of %s", predicted, part);
      Perplexity perplexity = new Perplexity(nats, predicted, part.units());
      return new Evaluation(perplexity, settings, block.config().memoryLength());
    }
  }

  /**
   * Returns the state of a batch's streams: zero at the beginning of documents. The rest of a text
   * without documents continues the last stream alone.
   */
  static SHARNNState stateBefore(Batch batch, SHARNNState state, SHARNN block, NDManager manager) {
    long streams = state.batchSize();
    if (TokenBatch.starts(batch)) {
      return replace(state, block.zeroState(manager, streams), manager);
    }
    return batch.getSize() == streams
        ? state
        : replace(state, state.streams(streams - 1, streams), manager);
  }

  static SHARNNState replace(SHARNNState state, SHARNNState next, NDManager manager) {
    state.close();
    return next.attach(manager);
  }

  /**
   * Checks that a part and a model have the same vocabulary.
   *
   * @param block the model's block
   * @param part a part of a corpus
   * @throws IllegalArgumentException if the vocabularies differ
   */
  public static void checkVocabulary(SHARNN block, Corpus.Part part) {
    checkArgument(
        block.vocabulary().property().equals(part.vocabulary().property()),
        "the %s has the vocabulary %s (%s), but the model has %s (%s): open it"
            + " withVocabulary(SHARNN.of(model).vocabulary()), or build the model with the corpus's",
        part,
        part.vocabulary(),
        part.vocabulary().property(),
        block.vocabulary(),
        block.vocabulary().property());
  }
}
