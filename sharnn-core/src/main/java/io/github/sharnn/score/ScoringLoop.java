package io.github.sharnn.score;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.engine.Operators;
import io.github.sharnn.io.Interrupts;
import java.util.Arrays;
import java.util.List;

/**
 * Streams of tokens that go through a model side by side, a segment at a time. For each segment,
 * call {@link #inputs}, then {@link #forward} or a DJL Predictor, then {@link #accept}.
 *
 * <p>Memory stays flat: each segment's manager is closed after it, and only the state is kept.
 */
final class ScoringLoop implements AutoCloseable {

  private static final long CACHED = 1 << 16; // numbers of an array that stays in a core's cache

  private final SHARNN model;
  private final NDManager manager;
  private final ParameterStore parameterStore;
  private final SHARNNConfig beforeSegment;
  private final int[] previous; // of each stream
  private SHARNNState state;
  private NDManager segment;
  private List<int[]> targets; // of the segment
  private NDArray labels;

  /** Starts from a zero state on the parent's device. */
  ScoringLoop(SHARNN model, NDManager parent, int streams, int context, int segmentLength) {
    this(model, parent, segmentLength, new int[streams]);
    Arrays.fill(previous, context);
    state = model.zeroState(manager, streams);
  }

  /** Starts from states with equal numbers of positions on the parent's device. */
  ScoringLoop(SHARNN model, NDManager parent, List<ScoringState> states, int segmentLength) {
    this(model, parent, segmentLength, states.stream().mapToInt(ScoringState::previous).toArray());
    DataType dataType = model.embedding.getArray().getDataType();
    state = ScoringState.join(states, manager, dataType);
  }

  private ScoringLoop(SHARNN model, NDManager parent, int segmentLength, int[] previous) {
    this.model = model;
    this.previous = previous;
    SHARNNConfig config = model.config();
    beforeSegment = config.withMemoryLength(Math.max(config.memoryLength() - segmentLength, 0));
    manager = parent.newSubManager();
    parameterStore = new ParameterStore(manager, false);
  }

  /**
   * Prepares {@code [tokens (B, T), state...]} of the next segment, for the first streams. The
   * other streams have ended. The longest tokens come first, and none are empty. They may also
   * continue the segment of the call before, from whose start on the memory may grow.
   */
  NDList inputs(List<int[]> next, boolean continued) {
    Interrupts.check();
    int longest = next.get(0).length;
    long[] tokens = new long[next.size() * longest]; // zeros pad shorter streams
    long[] own = new long[tokens.length];
    for (int stream = 0; stream < next.size(); stream++) {
      int at = stream * longest;
      for (int token : next.get(stream)) {
        tokens[at] = previous[stream];
        own[at++] = token;
        previous[stream] = token;
      }
    }
    targets = next;
    segment = manager.newSubManager();
    state.attach(segment); // results belong to their first operand's manager
    SHARNNState active = continued ? state : state.backOff(beforeSegment);
    if (next.size() < active.batchSize()) {
      active = active.streams(0, next.size());
    }
    Shape shape = new Shape(next.size(), longest);
    labels = segment.create(own, shape);
    return new NDList(segment.create(tokens, shape)).addAll(active.toNDList());
  }

  /** Runs the model: {@code [logits (B, T, V), state...]}. */
  NDList forward(NDList inputs) {
    return model.forward(parameterStore, inputs, false);
  }

  /**
   * Keeps the state, frees all else and returns the scores of each stream's tokens.
   *
   * @param ranked false to leave the ranks at 1, which takes less time
   */
  SegmentScores accept(NDList outputs, boolean ranked) {
    NDArray logits = outputs.head(); // (B, T, V)
    long size = logits.size(2);
    NDArray rows = logits.reshape(-1, size); // (B, T, V) -> (B*T, V)
    long atOnce = logits.getDevice().isGpu() ? rows.size(0) : Math.max(CACHED / size, 1);
    NDList arrays = new NDList(rows, labels.reshape(-1, 1)); // (B, T) -> (B*T, 1)
    float[] options = {atOnce, ranked ? 1 : 0};
    NDArray figures = Operators.get().call("surprise", options, arrays); // (4, B*T)
    int longest = Math.toIntExact(logits.size(1));
    SegmentScores scores = new SegmentScores(targets, longest, figures.toFloatArray());
    state = SHARNNState.fromNDList(model.config(), outputs.subNDList(1)).attach(manager);
    segment.close();
    return scores;
  }

  /** Copies the states of some streams, as they are before a new segment. */
  List<ScoringState> states(int from, int to) {
    try (NDScope views = new NDScope()) {
      views.suppressNotUsedWarning();
      SHARNNState some = state.backOff(beforeSegment).streams(from, to);
      return ScoringState.of(Arrays.copyOfRange(previous, from, to), some);
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
