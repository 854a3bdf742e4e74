package io.github.sharnn.generate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.io.Interrupts;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Prompts of different lengths, read side by side in segments. A segment ends no later than its
 * shortest prompt. Each prompt fits into the model's memory, so the segments do not change the
 * results. {@link TokenLoop} reads longer prompts.
 */
final class PromptBatch implements AutoCloseable {

  private final SHARNN model;
  private final List<int[]> prompts;
  private final NDManager manager;
  private final ParameterStore parameterStore;

  /** Takes the prompts' tokens, the longest first. */
  PromptBatch(SHARNN model, NDManager parent, List<int[]> prompts) {
    this.model = model;
    this.prompts = prompts;
    manager = parent.newSubManager();
    parameterStore = new ParameterStore(manager, false);
  }

  /** The V logits and the state after a prompt's last token. The batch closes the state. */
  record Result(float[] logits, SHARNNState state) {}

  /** Reads all prompts and returns their results in order. */
  List<Result> read() {
    List<Result> shortestFirst = new ArrayList<>();
    SHARNNState state = model.zeroState(manager, prompts.size());
    int from = 0;
    for (int rows = prompts.size(); rows > 0; rows = longerThan(from)) {
      int most = Math.max(TokenLoop.SEGMENT_LENGTH / rows, 1); // bounds the activations
      int to = Math.min(from + most, prompts.get(rows - 1).length);
      state = read(state, rows, from, to, shortestFirst);
      from = to;
    }
    Collections.reverse(shortestFirst);
    return shortestFirst;
  }

  private int longerThan(int length) {
    return (int) prompts.stream().takeWhile(prompt -> prompt.length > length).count();
  }

  /** Reads a segment of the first rows and returns the state of the longer prompts. */
  private SHARNNState read(
      SHARNNState state, int rows, int from, int to, List<Result> shortestFirst) {
    Interrupts.check();
    try (NDManager segment = manager.newSubManager()) {
      state.attach(segment); // results belong to their first operand's manager
      long[] tokens =
          prompts.subList(0, rows).stream()
              .flatMapToInt(prompt -> IntStream.range(from, to).map(i -> prompt[i]))
              .asLongStream()
              .toArray();
      NDArray input = segment.create(tokens, new Shape(rows, to - from));
      SHARNN.Output output = model.prefill(parameterStore, input, state); // logits (B, 1, V)
      int left = longerThan(to);
      for (int row = rows - 1; row >= left; row--) {
        NDArray logits = output.logits().get(new NDIndex("{}, -1", row)); // (B, 1, V) -> (V)
        shortestFirst.add(
            new Result(
                logits.toType(DataType.FLOAT32, false).toFloatArray(),
                copy(output.state().streams(row, row + 1))));
      }
      SHARNNState next = left == rows ? output.state() : output.state().streams(0, left);
      return next.attach(manager);
    }
  }

  /** Copies one stream's arrays, so that the others' can be freed. */
  private SHARNNState copy(SHARNNState stream) {
    NDList arrays = new NDList();
    stream.toNDList().forEach(array -> arrays.add(array.duplicate()));
    return SHARNNState.fromNDList(model.config(), arrays).attach(manager);
  }

  @Override
  public void close() {
    manager.close();
  }
}
