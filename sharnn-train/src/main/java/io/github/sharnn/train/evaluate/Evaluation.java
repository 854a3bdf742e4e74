package io.github.sharnn.train.evaluate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.base.Verify.verify;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.vocabulary.Perplexity;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * How well a model predicts a part of a corpus: one forward pass, and from it all figures of {@link
 * Perplexity}. Training's validation figures are this function's too.
 *
 * <p>The part is cut into equal contiguous streams that are read side by side, each from a zero
 * state that is carried to its end; what does not fill all streams is predicted at the end of the
 * last one. So every token but the first is predicted exactly once. More streams are faster on a
 * GPU and a little worse, since each starts without context: state the number with the figure.
 *
 * <p>The window does not slide: a segment is predicted once, from the state and the memory of up to
 * {@code memoryLength} positions that the segment before left. So a segment's first token sees that
 * many positions back, and its last up to {@code sequenceLength} more.
 *
 * <p>Many threads may evaluate one model at once, also while another model is being trained, and
 * get what one thread gets. No gradients are recorded, on any thread. Not while the model itself is
 * being trained on another thread: the figure would be that of no one step.
 *
 * @param perplexity what the part cost, by each unit
 * @param streams number of streams
 * @param sequenceLength steps per segment; it changes the result only where the memory overflows
 * @param memoryLength positions that the model's attention remembers
 */
public record Evaluation(Perplexity perplexity, int streams, int sequenceLength, int memoryLength) {

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
   * Evaluates without dropout, on the device of the model's manager.
   *
   * @param model a DJL model with an initialized {@link SHARNN}
   * @param part the tokens to predict, of the model's vocabulary
   * @param streams number of streams, at least 1; 1 gives every token its whole context
   * @param sequenceLength steps per segment, at least 1
   * @return the figure and how it was got
   * @throws IllegalArgumentException if a number is below 1, the part is too short, it holds bytes
   *     outside the vocabulary, or it has another vocabulary than the model
   * @throws IllegalStateException if the model has no weights
   */
  public static Evaluation of(Model model, Corpus.Part part, int streams, int sequenceLength) {
    return of(model, part, streams, sequenceLength, (batch, predictions) -> {});
  }

  /** Also shows each batch and its predictions to a listener. */
  public static Evaluation of(
      Model model,
      Corpus.Part part,
      int streams,
      int sequenceLength,
      BiConsumer<Batch, NDList> listener) {
    SHARNN block = SHARNN.of(model);
    checkWeights(model);
    checkVocabulary(block, part);
    List<Integer> splits = block.config().splits();
    StreamDataset dataset =
        StreamDataset.fixed(part, streams, sequenceLength).withSplits(splits).withRest();
    try (NDManager manager = model.getNDManager().newSubManager()) {
      Run run = new Run(block, manager, streams, listener);
      for (Batch batch : dataset.getData(manager)) {
        run.predict(batch);
      }
      verify(run.predicted == part.length() - 1, "predicted %s of %s", run.predicted, part);
      return new Evaluation(
          new Perplexity(run.nats, run.predicted, part.units()),
          streams,
          sequenceLength,
          block.config().memoryLength());
    }
  }

  static void checkWeights(Model model) {
    checkState(
        SHARNN.of(model).isInitialized(),
        "model %s must have weights before it is evaluated: train it or get it from SHARNN.load",
        model.getName());
  }

  /** Checks that a part's tokens mean to a model what they mean to the part. */
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

  /** The sums and the state while an evaluation runs. */
  private static final class Run {

    private final SequenceCrossEntropy loss = new SequenceCrossEntropy();
    private final SHARNN block;
    private final NDManager manager;
    private final ParameterStore parameterStore;
    private final BiConsumer<Batch, NDList> listener;
    private SHARNNState state;
    private double nats;
    private long predicted;

    Run(SHARNN block, NDManager manager, int streams, BiConsumer<Batch, NDList> listener) {
      this.block = block;
      this.manager = manager;
      this.parameterStore = new ParameterStore(manager, false);
      this.listener = listener;
      this.state = block.zeroState(manager, streams);
    }

    void predict(Batch batch) {
      try (batch) {
        if (batch.getSize() < state.batchSize()) { // the rest, which the last stream goes on with
          replaceState(state.streams(state.batchSize() - 1, state.batchSize()));
        }
        NDArray tokens = batch.getData().head();
        NDList labels = batch.getLabels();
        SHARNN.Output output = block.forward(parameterStore, tokens, labels, state, false);
        NDList predictions = new NDList(output.logits());
        double mean = loss.evaluate(labels, predictions).getFloat();
        nats += mean * tokens.size();
        predicted += tokens.size();
        listener.accept(batch, predictions);
        replaceState(output.state());
      }
    }

    private void replaceState(SHARNNState next) {
      state.close();
      state = next.attach(manager);
    }
  }
}
