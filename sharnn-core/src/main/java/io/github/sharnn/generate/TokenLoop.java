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
import io.github.sharnn.TextModel;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.io.Interrupts;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One stream of tokens through a model. Read a prompt with {@link #prefill}, run the last segment
 * with {@link #forward} or a DJL Predictor, and call {@link #accept}. Then {@link #next} reads
 * token by token.
 *
 * <p>Memory stays flat: each segment's manager is closed after it, and only the state is kept.
 */
final class TokenLoop implements AutoCloseable {

  static final int SEGMENT_LENGTH = 1024; // bounds the prompt's activations

  private final SHARNN model;
  private final NDManager manager;
  private final ParameterStore parameterStore;
  private final @Nullable DataType precision; // after the prompt
  private SHARNNState state; // until the decoder takes over
  private NDManager segment;
  private @Nullable SHARNNDecoder decoder; // after the prompt

  /** Starts from a zero state on the parent's device. */
  TokenLoop(SHARNN model, NDManager parent, @Nullable DataType precision) {
    this.model = model;
    this.precision = precision;
    manager = parent.newSubManager();
    parameterStore = new ParameterStore(manager, false);
    state = model.zeroState(manager, 1);
  }

  /**
   * Returns how many tokens of a prompt to read at once. A large vocabulary allows fewer, since a
   * Predictor computes logits after every token of the last segment.
   */
  static int segmentLength(SHARNNConfig config) {
    return Math.max(Math.min(SEGMENT_LENGTH, TextModel.MAX_LOGITS / config.vocabularySize()), 1);
  }

  /**
   * Reads the prompt's last {@code memoryLength} tokens, or 1024 if that is more, because the LSTMs
   * remember more than a short memory. Returns the inputs of the last segment, not yet read.
   */
  NDList prefill(int[] prompt) {
    int memoryLength = model.config().memoryLength();
    int from = Math.max(prompt.length - Math.max(memoryLength, SEGMENT_LENGTH), 0);
    // a longer segment would let attention see more than its memory
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
    state.attach(segment); // results belong to their first operand's manager
    return new NDList(segment.create(tokens, new Shape(1, tokens.length))).addAll(state.toNDList());
  }

  /** Runs the model: {@code [logits (1, 1, V), state...]}. */
  NDList forward(NDList inputs) {
    Interrupts.check();
    SHARNNState before = SHARNNState.fromNDList(model.config(), inputs.subNDList(1));
    SHARNN.Output output = model.prefill(parameterStore, inputs.head(), before);
    return new NDList(output.logits()).addAll(output.state().toNDList());
  }

  /** Keeps the state, frees all else and returns the V logits after the last token. */
  float[] accept(NDList outputs) {
    NDArray last = outputs.head().get(new NDIndex(":, -1, :")); // (1, T, V) -> (1, V)
    float[] logits = last.toType(DataType.FLOAT32, false).toFloatArray();
    keepState(outputs);
    return logits;
  }

  /** Returns the state after the prompt, until {@link #next} is called. */
  SHARNNState state() {
    return state;
  }

  /** Reads one token and returns the V logits after it. */
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
