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
import java.util.stream.IntStream;

/**
 * The recurrent state of a {@link SHARNN} between two segments, as a value: a forward pass takes
 * one and returns the next. Blocks keep no state, so one model can serve training, evaluation and
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
   * @param memory the positions that attention remembers, or null without attention
   */
  public record Layer(NDArray hidden, NDArray cell, AttentionMemory memory) {

    /** Creates the state before the first token of each of {@code (B, C)}'s streams. */
    static Layer zeros(NDManager manager, Shape shape, DataType dataType, boolean hasAttention) {
      return new Layer(
          manager.zeros(shape, dataType),
          manager.zeros(shape, dataType),
          hasAttention
              ? AttentionMemory.empty(manager, shape.get(0), shape.get(1), dataType)
              : null);
    }

    /** Takes the arrays that {@link #toNDList} lists. */
    static Layer fromNDList(NDList arrays) {
      return new Layer(
          arrays.get(0),
          arrays.get(1),
          arrays.size() == 2 ? null : new AttentionMemory(arrays.get(2)));
    }

    /** Lists hidden, cell and, with attention, memory. */
    NDList toNDList() {
      NDList arrays = new NDList(hidden, cell);
      if (memory != null) {
        arrays.add(memory.positions());
      }
      return arrays;
    }

    /**
     * Checks that activations of {@code (.., B, C)} fit this state.
     *
     * @param batchSize number of streams B
     * @param embeddingSize size C of the activations
     * @param dataType the activations' type
     * @throws IllegalArgumentException if the state is of another size or type
     */
    public void check(long batchSize, long embeddingSize, DataType dataType) {
      checkArgument(
          hidden.getShape().equals(new Shape(batchSize, embeddingSize))
              && cell.getShape().equals(hidden.getShape()),
          "hidden and cell must have the shape (batch, embeddingSize) = (%s, %s), but have %s and %s: a"
              + " state belongs to one batch size and one model",
          batchSize,
          embeddingSize,
          hidden.getShape(),
          cell.getShape());
      checkArgument(
          memory == null
              || (memory.positions().size(0) == batchSize
                  && memory.positions().size(2) == embeddingSize),
          "memory must have the shape (batch, positions, embeddingSize) = (%s, .., %s), but has %s: a"
              + " state belongs to one batch size and one model",
          batchSize,
          embeddingSize,
          memory == null ? "none" : memory.positions().getShape());
      checkArgument(
          hidden.getDataType() == dataType
              && cell.getDataType() == dataType
              && (memory == null || memory.positions().getDataType() == dataType),
          "the state must be of the activations' type %s, but hidden is of %s, cell of %s and memory of"
              + " %s: SHARNN.zeroState creates a state of the weights' type",
          dataType,
          hidden.getDataType(),
          cell.getDataType(),
          memory == null ? "none" : memory.positions().getDataType());
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
   * @throws IllegalArgumentException if there is none
   */
  public SHARNNState {
    layers = List.copyOf(layers);
    checkArgument(!layers.isEmpty(), "a state must have at least one layer, but has none");
  }

  /**
   * {@return the zero state: LSTMs at zero, memories empty}
   *
   * @param config the model's config
   * @param manager the manager that owns the arrays
   * @param batchSize number of streams B
   * @param dataType the activations' type
   */
  public static SHARNNState zeros(
      SHARNNConfig config, NDManager manager, long batchSize, DataType dataType) {
    Shape shape = new Shape(batchSize, config.embeddingSize());
    return new SHARNNState(
        IntStream.range(0, config.layers())
            .mapToObj(layer -> Layer.zeros(manager, shape, dataType, config.hasAttention(layer)))
            .toList());
  }

  /**
   * {@return the arrays, not copied, in the order that DJL blocks pass them: hidden, cell and, with
   * attention, memory of each block}
   */
  public NDList toNDList() {
    NDList list = new NDList();
    layers.forEach(layer -> list.addAll(layer.toNDList()));
    return list;
  }

  /**
   * {@return the state of the arrays that {@link #toNDList()} lists, not copied}
   *
   * @param config the model's config
   * @param arrays hidden, cell and memory of each block in order
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
      int end = next + (config.hasAttention(layer) ? 3 : 2);
      layers.add(Layer.fromNDList(arrays.subNDList(next, end)));
      next = end;
    }
    return new SHARNNState(layers);
  }

  /** {@return the number of streams B} */
  public long batchSize() {
    return layers.get(0).hidden().size(0);
  }

  /** {@return this state without gradient history, as between two training segments} */
  public SHARNNState detach() {
    return map(NDArray::stopGradient);
  }

  /**
   * Moves the arrays to another manager, which closes them in the end.
   *
   * @param manager the new owner
   * @return this state
   */
  public SHARNNState attach(NDManager manager) {
    toNDList().attach(manager);
    return this;
  }

  /**
   * {@return the state of streams {@code from} to {@code to - 1}}
   *
   * @param from the first stream
   * @param to the stream after the last
   * @throws IllegalArgumentException unless {@code 0 <= from <= to <= batchSize}
   */
  public SHARNNState streams(long from, long to) {
    checkArgument(
        0 <= from && from <= to && to <= batchSize(),
        "streams must lie between 0 and the state's batchSize (%s), but are %s to %s",
        batchSize(),
        from,
        to);
    return map(array -> array.get(new NDIndex("{}:{}", from, to))); // (B, ...) -> (to-from, ...)
  }

  /**
   * Shortens the memories for a smaller model, between two segments. Each memory keeps its newest
   * {@code memoryLength} positions, or none in a layer without attention.
   *
   * @param config of {@link SHARNN#withMemoryLength} or {@link SHARNN#withoutAttention}
   * @return a state for that model; its memories are views, which must be closed before this state,
   *     and its other arrays are this state's
   * @throws IllegalArgumentException if the config has other layers, or attention in a layer
   *     without memory
   */
  public SHARNNState backOff(SHARNNConfig config) {
    checkArgument(
        config.layers() == layers.size() && withMemory().containsAll(config.attentionLayers()),
        "a state of %s layers, with memory in %s, can't back off to a model of %s layers, with"
            + " attention in %s: give the config of this model's withMemoryLength or"
            + " withoutAttention",
        layers.size(),
        withMemory(),
        config.layers(),
        config.attentionLayers());
    List<Layer> shorter = new ArrayList<>();
    for (Layer full : layers) {
      boolean attends = config.hasAttention(shorter.size());
      AttentionMemory memory = attends ? full.memory().last(config.memoryLength()) : null;
      shorter.add(new Layer(full.hidden(), full.cell(), memory));
    }
    return new SHARNNState(shorter);
  }

  /**
   * Checks the number of layers and memories. Each block checks its own shapes.
   *
   * @param config the config of the model that takes this state
   * @throws IllegalArgumentException if the state is of another model
   */
  public void check(SHARNNConfig config) {
    checkArgument(
        layers.size() == config.layers() && withMemory().equals(config.attentionLayers()),
        "the state must be of this model, %s layers with attention in %s, but is of %s layers with"
            + " memory in %s: begin with the model's own zeroState",
        config.layers(),
        config.attentionLayers(),
        layers.size(),
        withMemory());
  }

  private List<Integer> withMemory() {
    return IntStream.range(0, layers.size())
        .filter(layer -> layers.get(layer).memory() != null)
        .boxed()
        .toList();
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
