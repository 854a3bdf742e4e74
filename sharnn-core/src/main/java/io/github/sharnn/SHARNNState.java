package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The recurrent state of a {@link SHARNN} between two segments, as a value: forward takes one and
 * returns the next. Nothing is kept in a block, so one model serves training, evaluation and
 * generation at once.
 *
 * @param layers the state of each block, in order
 */
public record SHARNNState(List<Layer> layers) implements AutoCloseable {

  /**
   * The state of one block.
   *
   * @param hidden the LSTM's last output {@code (B, C)}
   * @param cell the LSTM's cell {@code (B, C)}
   * @param memory what the attention remembers, or null in a block without attention
   */
  public record Layer(NDArray hidden, NDArray cell, AttentionMemory memory) {

    /** Moves the arrays to another manager. */
    void attach(NDManager manager) {
      hidden.attach(manager);
      cell.attach(manager);
      if (memory != null) {
        memory.positions().attach(manager);
      }
    }

    private Layer map(UnaryOperator<NDArray> operator) {
      return new Layer(
          operator.apply(hidden),
          operator.apply(cell),
          memory == null ? null : new AttentionMemory(operator.apply(memory.positions())));
    }
  }

  /**
   * Copies the list.
   *
   * @param layers the state of each block, in order
   */
  public SHARNNState {
    layers = List.copyOf(layers);
  }

  /**
   * Creates the state before a stream's first token: LSTMs at zero, memories empty.
   *
   * @param config the model's config
   * @param manager the manager that owns the arrays
   * @param batchSize number of streams B
   * @param dataType the activations' type
   * @return the state
   */
  public static SHARNNState zeros(
      SHARNNConfig config, NDManager manager, long batchSize, DataType dataType) {
    Shape shape = new Shape(batchSize, config.embeddingSize());
    List<Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < config.layers(); layer++) {
      layers.add(
          new Layer(
              manager.zeros(shape, dataType),
              manager.zeros(shape, dataType),
              config.hasAttention(layer)
                  ? AttentionMemory.empty(manager, batchSize, config.embeddingSize(), dataType)
                  : null));
    }
    return new SHARNNState(layers);
  }

  /**
   * Lists the arrays as a DJL block passes them: for each block hidden, cell and, where it has
   * attention, memory.
   *
   * @return the arrays, the same objects
   */
  public NDList toNDList() {
    NDList list = new NDList();
    for (Layer layer : layers) {
      list.add(layer.hidden());
      list.add(layer.cell());
      if (layer.memory() != null) {
        list.add(layer.memory().positions());
      }
    }
    return list;
  }

  /**
   * Reads back what {@link #toNDList()} lists.
   *
   * @param config the model's config
   * @param arrays hidden, cell and memory of each block in order
   * @return the state around the same arrays
   * @throws IllegalArgumentException if the number of arrays does not fit the config
   */
  public static SHARNNState fromNDList(SHARNNConfig config, NDList arrays) {
    int expected = 2 * config.layers() + config.attentionLayers().size();
    checkArgument(
        arrays.size() == expected,
        "the state of this model has %s arrays (hidden, cell and, with attention, memory of each"
            + " layer), but %s were given",
        expected,
        arrays.size());
    List<Layer> layers = new ArrayList<>();
    int next = 0;
    for (int layer = 0; layer < config.layers(); layer++) {
      NDArray hidden = arrays.get(next++);
      NDArray cell = arrays.get(next++);
      layers.add(
          new Layer(
              hidden,
              cell,
              config.hasAttention(layer) ? new AttentionMemory(arrays.get(next++)) : null));
    }
    return new SHARNNState(layers);
  }

  /** Shapes of what {@link #toNDList()} lists, from those before a segment of T tokens. */
  static Shape[] shapesAfter(SHARNNConfig config, Shape[] before, long time) {
    Shape[] after = before.clone();
    int next = 0;
    for (int layer = 0; layer < config.layers(); layer++) {
      next += 2; // hidden and cell keep theirs
      if (config.hasAttention(layer)) {
        long batch = before[next].get(0);
        long positions = Math.min(before[next].get(1) + time, config.memoryLength());
        after[next] = new Shape(batch, positions, config.embeddingSize());
        next++;
      }
    }
    return after;
  }

  /**
   * Returns how many streams the state is of.
   *
   * @return the batch size B
   */
  public long batchSize() {
    return layers.get(0).hidden().size(0);
  }

  /**
   * Cuts the state from the gradient graph, as between two training segments.
   *
   * @return a state of the same values without history
   */
  public SHARNNState detach() {
    return map(NDArray::stopGradient);
  }

  /**
   * Moves the arrays to another manager, which then closes them.
   *
   * @param manager the new owner
   * @return this state
   */
  public SHARNNState attach(NDManager manager) {
    layers.forEach(layer -> layer.attach(manager));
    return this;
  }

  /**
   * Takes some of the streams.
   *
   * @param from the first stream
   * @param to the stream after the last
   * @return the state of streams {@code from} to {@code to - 1}
   */
  public SHARNNState streams(long from, long to) {
    return map(array -> array.get(new NDIndex("{}:{}", from, to))); // (B, ...) -> (to-from, ...)
  }

  /**
   * Shortens the memories between two segments to what a smaller model remembers: to the newest
   * {@code memoryLength} positions, or nothing where the model has no attention.
   *
   * @param config that of {@link SHARNN#withMemoryLength} or {@link SHARNN#withoutAttention}
   * @return a state for that model around views of the same memory, to be closed before this one;
   *     hidden and cell are the same objects
   */
  public SHARNNState backOff(SHARNNConfig config) {
    List<Layer> shorter = new ArrayList<>();
    for (int layer = 0; layer < layers.size(); layer++) {
      Layer full = layers.get(layer);
      AttentionMemory memory =
          config.hasAttention(layer) ? full.memory().last(config.memoryLength()) : null;
      shorter.add(new Layer(full.hidden(), full.cell(), memory));
    }
    return new SHARNNState(shorter);
  }

  /** Closes the arrays. */
  @Override
  public void close() {
    toNDList().close();
  }

  private SHARNNState map(UnaryOperator<NDArray> operator) {
    return new SHARNNState(layers.stream().map(layer -> layer.map(operator)).toList());
  }
}
