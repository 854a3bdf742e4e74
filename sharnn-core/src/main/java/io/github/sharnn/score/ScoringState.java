package io.github.sharnn.score;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.primitives.Floats;
import io.github.sharnn.AttentionMemory;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The state of a model after some texts, for a {@link Scorer} that scores the text that follows. It
 * is a value on the heap: it never changes, needs no closing, and any number of texts may follow
 * the same state.
 *
 * <p>Keep one state for each source of texts, such as a host or a session of a log:
 *
 * <pre>{@code
 * Map<String, ScoringState> states = new HashMap<>();
 * ScoringState before = states.getOrDefault(host, scorer.initialState());
 * CarriedScore score = scorer.totalsAfter(List.of(before), List.of(line)).get(0);
 * states.put(host, score.after());
 * }</pre>
 *
 * <p>A state has {@code 2 * layers * C} numbers of 4 bytes, and in each layer with attention up to
 * {@code (memoryLength - segmentLength) * C} more.
 *
 * @serial exclude
 */
public final class ScoringState implements Serializable {

  private static final long serialVersionUID = 1;

  private final int previous; // the last token, or the scorer's context
  private final int size; // C
  private final List<Layer> layers;

  private ScoringState(int previous, int size, List<Layer> layers) {
    this.previous = previous;
    this.size = size;
    this.layers = layers;
  }

  /** The arrays of a layer: hidden (C), cell (C) and, with attention, memory (M, C). */
  private record Layer(float[] hidden, float[] cell, float @Nullable [] memory)
      implements Serializable {}

  /** Returns the state before any text. */
  static ScoringState initial(int context, SHARNNConfig config) {
    int size = config.embeddingSize();
    List<Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < config.layers(); layer++) {
      float[] memory = config.hasAttention(layer) ? new float[0] : null;
      layers.add(new Layer(new float[size], new float[size], memory));
    }
    return new ScoringState(context, size, layers);
  }

  /** Copies the state of each stream from the device. */
  static List<ScoringState> of(int[] previous, SHARNNState state) {
    List<ScoringState> states = new ArrayList<>();
    for (int stream = 0; stream < previous.length; stream++) {
      List<Layer> layers = new ArrayList<>();
      for (SHARNNState.Layer layer : state.streams(stream, stream + 1).layers()) {
        AttentionMemory memory = layer.memory();
        layers.add(
            new Layer(
                numbers(layer.hidden()),
                numbers(layer.cell()),
                memory == null ? null : numbers(memory.positions())));
      }
      int size = layers.get(0).hidden().length;
      states.add(new ScoringState(previous[stream], size, layers));
    }
    return states;
  }

  private static float[] numbers(NDArray array) {
    return array.size() == 0 ? new float[0] : array.toType(DataType.FLOAT32, false).toFloatArray();
  }

  /**
   * Checks that a model of this config can take the state.
   *
   * @throws IllegalArgumentException if the state is of a model of another shape
   */
  void check(SHARNNConfig config) {
    List<Integer> attention =
        IntStream.range(0, layers.size())
            .filter(layer -> layers.get(layer).memory != null)
            .boxed()
            .toList();
    checkArgument(
        size == config.embeddingSize()
            && layers.size() == config.layers()
            && attention.equals(config.attentionLayers()),
        "before must have states of this model, of embedding size %s and %s layers with attention in"
            + " %s, but one is of %s and %s with attention in %s: begin with the scorer's initialState",
        config.embeddingSize(),
        config.layers(),
        config.attentionLayers(),
        size,
        layers.size(),
        attention);
    checkArgument( // an index out of range ends all work on a GPU
        previous >= 0 && previous < config.vocabularySize(),
        "before must have states of this model, of %s tokens, but one follows the token %s: begin with"
            + " the scorer's initialState",
        config.vocabularySize(),
        previous);
  }

  int previous() {
    return previous;
  }

  /** Returns the number of remembered positions of the layers with attention, 0 without any. */
  int positions() {
    return layers.stream()
        .filter(layer -> layer.memory != null)
        .mapToInt(layer -> layer.memory.length / size)
        .findFirst()
        .orElse(0);
  }

  /** Copies states with equal numbers of positions to the manager's device, side by side. */
  static SHARNNState join(List<ScoringState> states, NDManager manager, DataType dataType) {
    ScoringState first = states.get(0);
    long streams = states.size();
    Shape cell = new Shape(streams, first.size);
    Shape memory = new Shape(streams, first.positions(), first.size);
    List<SHARNNState.Layer> layers = new ArrayList<>();
    for (int i = 0; i < first.layers.size(); i++) {
      int layer = i;
      Function<Function<Layer, float[]>, float[]> joined =
          array ->
              Floats.concat(
                  states.stream()
                      .map(state -> array.apply(state.layers.get(layer)))
                      .toArray(float[][]::new));
      layers.add(
          new SHARNNState.Layer(
              array(manager, joined.apply(Layer::hidden), cell, dataType),
              array(manager, joined.apply(Layer::cell), cell, dataType),
              first.layers.get(layer).memory == null
                  ? null
                  : new AttentionMemory(
                      array(manager, joined.apply(Layer::memory), memory, dataType))));
    }
    return new SHARNNState(layers);
  }

  private static NDArray array(NDManager manager, float[] numbers, Shape shape, DataType dataType) {
    return numbers.length == 0
        ? manager.zeros(shape, dataType)
        : manager.create(numbers, shape).toType(dataType, false);
  }
}
