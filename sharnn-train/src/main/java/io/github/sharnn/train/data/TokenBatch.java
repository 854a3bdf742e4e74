package io.github.sharnn.train.data;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.Batchifier;

/**
 * A batch of tokens that knows how many of its labels count, and if its rows begin documents.
 *
 * <p>Rows of documents that have ended are padded. The labels then end with an array of {@link
 * io.github.sharnn.train.step.TokenWeights}.
 */
public final class TokenBatch extends Batch {

  private final long predicted;
  private final boolean starts;

  TokenBatch(
      NDManager manager,
      NDList data,
      NDList labels,
      int streams,
      long progress,
      long progressTotal,
      long predicted,
      boolean starts) {
    super(
        manager,
        data,
        labels,
        streams,
        Batchifier.STACK,
        Batchifier.STACK,
        progress,
        progressTotal);
    this.predicted = predicted;
    this.starts = starts;
  }

  /**
   * {@return the number of labels that count in the loss: all of a batch without documents}
   *
   * @param batch any batch of tokens {@code (B, T)}
   */
  public static long predicted(Batch batch) {
    return batch instanceof TokenBatch own ? own.predicted : batch.getData().head().size();
  }

  /**
   * {@return true if every row begins a document, so that the recurrent state must be zero}
   *
   * @param batch any batch of tokens
   */
  public static boolean starts(Batch batch) {
    return batch instanceof TokenBatch own && own.starts;
  }
}
