package io.github.sharnn.generate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.decode.SHARNNDecoder;
import java.util.Arrays;

/**
 * One stream of tokens through a model: the prompt a segment at a time, {@link #prefill} and {@link
 * #accept} around any forward pass, {@link #forward} or a DJL Predictor's; then {@link #next} for
 * each token.
 *
 * <p>Memory stays flat: each segment has a manager of its own that is closed after it, and only the
 * state outlives it.
 */
final class TokenLoop implements AutoCloseable {

  static final int SEGMENT_LENGTH = 1024; // tokens; bounds the prompt's activations
  private static final int MOST_LOGITS = 1 << 26; // 256 MiB at once, and as much for each use

  private final SHARNN model;
  private final NDManager manager;
  private final ParameterStore parameterStore;
  private final DataType precision; // of the tokens after the prompt
  private SHARNNState state; // until there is a decoder
  private NDManager segment;
  private SHARNNDecoder decoder; // null until the prompt has been read

  /** Starts from a zero state on the parent's device. */
  TokenLoop(SHARNN model, NDManager parent, DataType precision) {
    this.model = model;
    this.precision = precision;
    manager = parent.newSubManager();
    parameterStore = new ParameterStore(manager, false);
    state = model.zeroState(manager, 1);
  }

  /**
   * How many tokens of a prompt are read at once: fewer where the vocabulary is large, since a
   * Predictor computes logits after all tokens of the last segment.
   */
  static int segmentLength(SHARNNConfig config) {
    return Math.max(Math.min(SEGMENT_LENGTH, MOST_LOGITS / config.vocabularySize()), 1);
  }

  /**
   * Feeds the prompt's last {@code memoryLength} tokens, or last 1024 with a shorter memory, but
   * for the last segment: the LSTMs go back further than a memory that was shortened.
   *
   * @return the last segment's inputs
   */
  NDList prefill(int[] prompt) {
    int memoryLength = model.config().memoryLength();
    int from = Math.max(prompt.length - Math.max(memoryLength, SEGMENT_LENGTH), 0);
    // no longer than attention's own window
    int length = Math.min(Math.max(memoryLength, 1), segmentLength(model.config()));
    for (; prompt.length - from > length; from += length) {
      keepState(forward(inputs(prompt, from, from + length)));
    }
    return inputs(prompt, from, prompt.length);
  }

  /** Returns {@code [tokens (1, T), state...]}. */
  private NDList inputs(int[] prompt, int from, int to) {
    long[] tokens = Arrays.stream(prompt, from, to).asLongStream().toArray();
    segment = manager.newSubManager();
    // results belong to their first operand's manager, so the old state must end with the segment
    state.attach(segment);
    return new NDList(segment.create(tokens, new Shape(1, tokens.length))).addAll(state.toNDList());
  }

  /** Runs the model: {@code [logits (1, 1, V), state...]}. */
  NDList forward(NDList inputs) {
    SHARNNState before = SHARNNState.fromNDList(model.config(), inputs.subNDList(1));
    SHARNN.Output output = model.prefill(parameterStore, inputs.head(), before);
    return new NDList(output.logits()).addAll(output.state().toNDList());
  }

  /**
   * Keeps the state, frees the rest and returns the V logits after the last token.
   *
   * @param outputs {@link #forward}'s, or those of the block itself, {@code [logits (1, T, V),
   *     state...]}
   */
  float[] accept(NDList outputs) {
    NDArray last = outputs.head().get(new NDIndex(":, -1, :")); // (1, T, V) -> (1, V)
    float[] logits = last.toType(DataType.FLOAT32, false).toFloatArray();
    keepState(outputs);
    return logits;
  }

  /** The state after the last segment, until there has been a token after it. */
  SHARNNState state() {
    return state;
  }

  /** Reads one token after the prompt and returns the V logits after it. */
  float[] next(long token) {
    if (decoder == null) {
      decoder = SHARNNDecoder.of(model, manager, 1, precision);
      decoder.add(state);
      state.close();
    }
    return decoder.next(token)[0];
  }

  private void keepState(NDList outputs) {
    state = SHARNNState.fromNDList(model.config(), outputs.subNDList(1)).attach(manager);
    segment.close();
  }

  @Override
  public void close() {
    manager.close();
  }
}
