package io.github.sharnn.softmax;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;

/**
 * The positions of a batch's labels in the head and tails of a vocabulary with {@link
 * io.github.sharnn.SHARNNConfig#splits}. The counts per tail determine array shapes, so they are
 * computed on the host before the copy to a GPU. No step then waits for the GPU.
 *
 * <p>A batch carries these arrays after its labels:
 *
 * <ul>
 *   <li>labels {@code (B, T)} INT64
 *   <li>columns {@code (B, T)} INT64: the column of the label, or of its tail's tombstone, in the
 *       head's softmax
 *   <li>rows {@code (M)} INT64: {@code b * T + t} of the M labels in tails, sorted by tail,
 *       ascending within a tail
 *   <li>tokens {@code (M)} INT64: these labels, counted from the first of their tail
 *   <li>counts {@code (k, B)} INT64, in the CPU's memory: labels in each tail, by stream
 * </ul>
 */
public final class ClusterLabels {

  private final NDArray columns;
  private final NDArray rows;
  private final NDArray tokens;
  private final long[] starts; // the first row of each tail and stream, and the end of the last
  private final int streams;

  private ClusterLabels(NDList labels) {
    columns = labels.get(1);
    rows = labels.get(2);
    tokens = labels.get(3);
    long[] counts = labels.get(4).toLongArray();
    starts = new long[counts.length + 1];
    System.arraycopy(counts, 0, starts, 1, counts.length);
    Arrays.parallelPrefix(starts, Long::sum);
    streams = Math.toIntExact(labels.get(4).size(1));
  }

  /** Returns the positions. Computes them first if there are only labels. */
  static ClusterLabels from(NDList labels, List<Integer> splits) {
    return new ClusterLabels(labels.size() == 1 ? of(labels.head(), splits) : labels);
  }

  /**
   * Computes the labels' positions from a copy on the host.
   *
   * @param labels {@code (B, T)} INT64 on any device, whose manager gets the arrays
   * @param values the same labels, stream by stream
   * @param splits the model's; empty for none
   * @return a batch's labels: with splits as above, else {@code labels} alone
   */
  public static NDList of(NDArray labels, long[] values, List<Integer> splits) {
    if (splits.isEmpty()) {
      return new NDList(labels);
    }
    int[] firsts = splits.stream().mapToInt(Integer::intValue).toArray();
    int batch = Math.toIntExact(labels.size(0));
    int time = values.length / batch;
    int[] tails = new int[values.length]; // of each label, 0 for the head
    int[] next = new int[firsts.length + 2]; // where a tail's next row goes
    long[] counts = new long[firsts.length * batch];
    for (int i = 0; i < values.length; i++) {
      while (tails[i] < firsts.length && values[i] >= firsts[tails[i]]) {
        tails[i]++;
      }
      if (tails[i] > 0) {
        next[tails[i] + 1]++;
        counts[(tails[i] - 1) * batch + i / time]++;
      }
    }
    Arrays.parallelPrefix(next, Integer::sum);
    int inTails = next[firsts.length + 1];
    long[] packed = new long[values.length + 2 * inTails]; // one copy to the device
    for (int i = 0; i < values.length; i++) {
      int tail = tails[i];
      packed[i] = tail == 0 ? values[i] : AdaptiveSoftmax.tombstone(splits, tail);
      if (tail > 0) {
        int row = values.length + next[tail]++;
        packed[row] = i;
        packed[row + inTails] = values[i] - firsts[tail - 1];
      }
    }
    NDManager manager = labels.getManager();
    NDList parts =
        manager.create(packed).split(new long[] {values.length, values.length + inTails}, 0);
    NDArray byStream =
        manager.newSubManager(Device.cpu()).create(counts, new Shape(firsts.length, batch));
    NDArray columns = parts.get(0).reshape(batch, time); // (B*T) -> (B, T)
    return new NDList(labels, columns, parts.get(1), parts.get(2), byStream);
  }

  /**
   * Computes the labels' positions from labels that are read back, which waits for a GPU.
   *
   * @param labels {@code (B, T)} of an integer type
   * @param splits the model's; empty for none
   * @return a batch's labels, as {@link #of(NDArray, long[], List)} returns them
   */
  public static NDList of(NDArray labels, List<Integer> splits) {
    if (splits.isEmpty()) {
      return new NDList(labels);
    }
    return of(labels, labels.toType(DataType.INT64, false).toLongArray(), splits);
  }

  /**
   * Cuts streams out of a batch's labels.
   *
   * @param labels of a batch, with or without splits
   * @param from the first stream
   * @param to the one after the last
   * @return the labels in the form of a batch with only these streams
   */
  public static NDList streams(NDList labels, int from, int to) {
    NDIndex some = new NDIndex("{}:{}", from, to);
    NDArray own = labels.head().get(some); // (B, T) -> (streams, T)
    if (labels.size() == 1) {
      return new NDList(own);
    }
    ClusterLabels all = new ClusterLabels(labels);
    NDList rows = new NDList();
    NDList tokens = new NDList();
    for (int tail = 0; tail * all.streams < all.starts.length - 1; tail++) {
      long first = all.starts[tail * all.streams + from];
      long end = all.starts[tail * all.streams + to];
      rows.add(range(all.rows, first, end));
      tokens.add(range(all.tokens, first, end));
    }
    NDManager manager = own.getManager();
    // a CPU scalar, which a GPU's kernel takes as a plain argument
    NDArray before = manager.full(new Shape(), from * own.size(1), DataType.INT64, Device.cpu());
    return new NDList(
        own,
        all.columns.get(some), // (B, T) -> (streams, T)
        NDArrays.concat(rows).sub(before), // (M) -> (m)
        NDArrays.concat(tokens), // (M) -> (m)
        labels.get(4).get(new NDIndex(":, {}:{}", from, to))); // (k, B) -> (k, streams)
  }

  /** Returns each label's column in the head's softmax, {@code (B, T)}. */
  NDArray columns() {
    return columns;
  }

  /** Returns the positions in the batch of a tail's labels, {@code (n)}; tails count from 1. */
  NDArray rows(int tail) {
    return range(rows, starts[(tail - 1) * streams], starts[tail * streams]);
  }

  /** Returns a tail's labels, counted from its first token, {@code (n)}. */
  NDArray tokens(int tail) {
    return range(tokens, starts[(tail - 1) * streams], starts[tail * streams]);
  }

  private static NDArray range(NDArray array, long from, long to) {
    return array.get(new NDIndex("{}:{}", from, to));
  }
}
