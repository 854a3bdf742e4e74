package io.github.sharnn.softmax;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.stream.LongStream;

/**
 * The softmax of a large vocabulary whose tokens are sorted by frequency. The splits {@code s_1 <
 * .. < s_k} divide the vocabulary into a head {@code [0, s_1)} and k tails. The softmax of the head
 * covers its tokens and one tombstone for each tail. The softmax of a tail covers the tail's
 * tokens:
 *
 * <pre>{@code
 * p(token) = softmax(head)[token]                                token < s_1
 * p(token) = softmax(head)[tombstone i] * softmax(tail i)[token] s_i <= token < s_{i+1}
 * }</pre>
 *
 * <p>Tokens use the rows of the output matrix and its bias. Tombstones have their own rows, in
 * reverse order: tail 1 has the last column of the head. FLOAT16 logits become FLOAT32.
 */
public final class AdaptiveSoftmax {

  private final long[] splits;
  private final NDList vectors; // of the head's and each tail's tokens, (size, C)
  private final NDList biases; // (size)
  private final NDArray headVectors; // tokens and tombstones, (s_1 + k, C)
  private final NDArray headBias; // (s_1 + k)

  /**
   * Takes the weights of one pass.
   *
   * @param splits first tokens of the tails
   * @param manager the manager that owns arrays made from the weights
   * @param weight of all tokens, {@code (V, C)}
   * @param bias of all tokens, {@code (V)}
   * @param tailVectors of the tombstones, {@code (k, C)}
   * @param tailBias of the tombstones, {@code (k)}
   */
  public AdaptiveSoftmax(
      List<Integer> splits,
      NDManager manager,
      NDArray weight,
      NDArray bias,
      NDArray tailVectors,
      NDArray tailBias) {
    this.splits = splits.stream().mapToLong(Integer::longValue).toArray();
    // one split call, because the gradient of each separate slice would have the whole matrix's
    // size
    vectors = weight.split(this.splits, 0);
    biases = bias.split(this.splits, 0);
    vectors.attach(manager);
    biases.attach(manager);
    headVectors = vectors.head().concat(tailVectors);
    headBias = biases.head().concat(tailBias);
  }

  /** Returns the head's column for the tombstone of a tail, counted from 1. */
  static int tombstone(List<Integer> splits, int tail) {
    return splits.get(0) + splits.size() - tail;
  }

  /** Computes log-probabilities of a segment {@code (B, T, V)}, or of its labels {@code (B, T)}. */
  NDArray forward(NDArray h, ClusterLabels labels) {
    NDArray rows = h.transpose(1, 0, 2).reshape(-1, h.size(2)); // (T, B, C) -> (B*T, C)
    if (labels != null) {
      return logProbabilities(rows, labels).reshape(h.size(1), h.size(0)); // (B*T) -> (B, T)
    }
    NDArray all = logProbabilities(rows);
    return all.reshape(h.size(1), h.size(0), all.size(1)); // (B*T, V) -> (B, T, V)
  }

  /**
   * Computes log-probabilities of the whole vocabulary.
   *
   * @param h {@code (N, C)}
   * @return {@code (N, V)}
   */
  public NDArray logProbabilities(NDArray h) {
    int tails = splits.length;
    long[] columns = LongStream.range(splits[0], splits[0] + tails).toArray();
    NDList head = logSoftmax(h, 0).split(columns, 1); // (N, s_1 + k) -> (N, s_1), (N, 1), ...
    NDList parts = new NDList(head.get(0));
    for (int tail = 1; tail <= tails; tail++) {
      parts.add(logSoftmax(h, tail).add(head.get(tails + 1 - tail))); // (N, size) + (N, 1)
    }
    return NDArrays.concat(parts, 1); // -> (N, V)
  }

  /**
   * Computes log-probabilities of the labels only. A tail's softmax is computed only for the rows
   * whose label lies in it.
   *
   * @param h {@code (N, C)}, a row for each label
   * @param labels the N labels
   * @return {@code (N)}
   */
  public NDArray logProbabilities(NDArray h, ClusterLabels labels) {
    NDArray columns = labels.columns().reshape(-1, 1); // (B, T) -> (N, 1)
    NDArray all = logSoftmax(h, 0).gather(columns, 1).flatten(); // (N, s_1 + k) -> (N)
    for (int tail = 1; tail <= splits.length; tail++) {
      NDArray rows = labels.rows(tail); // (n)
      if (rows.size() > 0) {
        NDArray some = logSoftmax(h.get(new NDIndex("{}", rows)), tail); // -> (n, size)
        NDArray own = some.gather(labels.tokens(tail).reshape(-1, 1), 1).flatten(); // -> (n)
        NDArray none = all.getManager().zeros(all.getShape(), all.getDataType());
        all = all.add(none.scatter(rows, own, 0)); // (n) -> (N)
      }
    }
    return all;
  }

  /** Computes the log-softmax of the head with its tombstones, part 0, or of a tail. */
  private NDArray logSoftmax(NDArray h, int part) {
    NDArray logits =
        OutputLayer.logits(
            h,
            part == 0 ? headVectors : vectors.get(part),
            part == 0 ? headBias : biases.get(part));
    if (logits.getDataType() == DataType.FLOAT16) {
      // type promotion, since DJL's toType would cut the gradient
      logits = logits.add(logits.getManager().zeros(new Shape(1), DataType.FLOAT32));
    }
    return logits.logSoftmax(-1);
  }
}
