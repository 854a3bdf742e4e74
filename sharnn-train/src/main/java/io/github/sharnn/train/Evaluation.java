package io.github.sharnn.train;

import static com.google.common.base.Verify.verify;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * How well a model predicts a part of a corpus.
 *
 * <p>The part is cut into equal contiguous streams that are read side by side, each from a zero
 * state that is carried to its end; what does not fill all streams is predicted at the end of the
 * last one. So every byte but the first is predicted exactly once. More streams are faster on a GPU
 * and a little worse, since each starts without context: state the number with the figure.
 *
 * <p>Many threads may evaluate one model at once, also while another model is being trained, and
 * get what one thread gets. No gradients are recorded, on any thread. Not while the model itself is
 * being trained on another thread: the figure would be that of no one step.
 *
 * @param bitsPerCharacter mean of -log2 p(byte) over the predicted bytes
 * @param predictedBytes how many bytes were predicted: the part's length less 1
 * @param streams number of streams
 * @param sequenceLength steps per segment; it changes the result only where the memory overflows
 */
public record Evaluation(
    double bitsPerCharacter, long predictedBytes, int streams, int sequenceLength) {

  /**
   * Evaluates without dropout, on the device of the model's manager.
   *
   * @param model a DJL model with an initialized {@link SHARNN}
   * @param part the bytes to predict
   * @param streams number of streams, at least 1; 1 gives every byte its whole context
   * @param sequenceLength steps per segment, at least 1
   * @return the figure and how it was got
   * @throws IllegalArgumentException if a number is below 1, the part is too short, or it holds
   *     bytes outside the vocabulary
   */
  public static Evaluation of(Model model, Corpus.Part part, int streams, int sequenceLength) {
    return of(model, part, streams, sequenceLength, (batch, predictions) -> {});
  }

  /** Also shows each batch and its predictions to a listener. */
  static Evaluation of(
      Model model,
      Corpus.Part part,
      int streams,
      int sequenceLength,
      BiConsumer<Batch, NDList> listener) {
    SHARNN block = SHARNN.of(model);
    List<Integer> splits = block.config().splits();
    StreamDataset dataset = StreamDataset.fixed(part, streams, sequenceLength).withSplits(splits);
    try (NDManager manager = model.getNDManager().newSubManager()) {
      Run run = new Run(block, manager, listener);
      run.state = block.zeroState(manager, streams);
      for (Batch batch : dataset.getData(manager)) {
        run.predict(batch);
      }
      // the last stream ends where what is left of the part begins
      long done = dataset.streamLength() * streams;
      if (done < part.length() - 1) {
        run.replaceState(run.state.streams(streams - 1, streams));
        StreamDataset rest =
            StreamDataset.fixed(part.from(done), 1, sequenceLength).withSplits(splits);
        for (Batch batch : rest.getData(manager)) {
          run.predict(batch);
        }
      }
      verify(run.predicted == part.length() - 1, "predicted %s of %s", run.predicted, part);
      return new Evaluation(
          run.nats / run.predicted / SequenceCrossEntropy.NATS_PER_BIT,
          run.predicted,
          streams,
          sequenceLength);
    }
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

    Run(SHARNN block, NDManager manager, BiConsumer<Batch, NDList> listener) {
      this.block = block;
      this.manager = manager;
      this.parameterStore = new ParameterStore(manager, false);
      this.listener = listener;
    }

    void predict(Batch batch) {
      try (batch) {
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
