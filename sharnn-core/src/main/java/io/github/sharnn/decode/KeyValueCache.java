package io.github.sharnn.decode;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.math.IntMath;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.Objects;

/**
 * What a decoder's streams carry from token to token: hidden and cell of each layer and, as rings,
 * the memories. Every array is allocated once, with a row for each stream that there is room for;
 * the streams that there are have the first rows.
 *
 * <p>A ring has {@code memoryLength} slots. All streams write the same slot at a token: a stream's
 * newest position lies before the next slot and its older ones before that, around the ring.
 */
final class KeyValueCache {

  /** A GPU multiplies matrices fast where the number of their rows is a multiple. */
  private static final int ALIGNMENT = 8;

  private final SHARNNConfig config;
  private final DecoderWeights weights;
  private final NDManager manager;
  private final DataType precision;
  private final NDList recurrent = new NDList(); // hidden and cell of each layer
  private final NDList rings = new NDList(); // the mask; keys (or both) and values of each layer
  private final int slots; // of a ring
  private final int[] filled; // slots of each stream
  private int streams;
  private int slot; // the next to be written, of all streams
  private int used; // slots below this one may be filled

  /** Makes room for streams; the manager gets the arrays. */
  KeyValueCache(
      SHARNNConfig config,
      DecoderWeights weights,
      NDManager manager,
      int capacity,
      DataType precision) {
    this.config = config;
    this.weights = weights;
    this.manager = manager;
    this.precision = precision;
    filled = new int[capacity];
    slots = Math.max(config.memoryLength(), 1); // a token always sees its own position
    Shape vector = new Shape(capacity, config.embeddingSize());
    Shape ring = new Shape(capacity, slots, config.embeddingSize());
    Shape none = new Shape(0);
    boolean separate = config.keyProjection() || config.valueProjection();
    // zeros where nothing is remembered yet: what is masked still takes part in products
    rings.add(
        config.hasAttention()
            ? manager.full(new Shape(capacity, slots), Float.NEGATIVE_INFINITY, precision)
            : manager.zeros(none, precision));
    for (int layer = 0; layer < config.layers(); layer++) {
      boolean attention = config.hasAttention(layer);
      recurrent.add(manager.zeros(vector, precision));
      recurrent.add(manager.zeros(vector, precision));
      rings.add(manager.zeros(attention ? ring : none, precision));
      rings.add(manager.zeros(attention && separate ? ring : none, precision));
    }
  }

  /** How many streams there are. */
  int streams() {
    return streams;
  }

  /** Hidden and cell of each layer, {@code (capacity, C)} each. */
  NDList recurrent() {
    return recurrent;
  }

  /**
   * The mask {@code (capacity, slots)}, 0 at filled slots and minus infinity at others; then of
   * each layer keys and values {@code (capacity, slots, C)}. Without elements is what a layer
   * lacks: all without attention, and values where they are the keys.
   */
  NDList rings() {
    return rings;
  }

  /** The slot that the next token is written to. */
  int slot() {
    return slot;
  }

  /** How many slots, from the first on, the next token has to look at. */
  int looked() {
    int aligned = IntMath.divide(usedNext(), ALIGNMENT, RoundingMode.CEILING) * ALIGNMENT;
    return Math.min(aligned, slots);
  }

  private int usedNext() {
    return Math.max(used, slot + 1);
  }

  /** Whether every stream has filled its rings. */
  boolean full() {
    return Arrays.stream(filled, 0, streams).allMatch(count -> count == slots);
  }

  /** Notes that a token was read in each stream. */
  void advance() {
    used = usedNext();
    slot = (slot + 1) % slots;
    for (int row = 0; row < streams; row++) {
      filled[row] = Math.min(filled[row] + 1, slots);
    }
  }

  /** Adds a stream as the last one, as {@link SHARNNDecoder#add} says. */
  void add(SHARNNState start) {
    checkState(
        streams < filled.length,
        "the decoder has room for %s streams, and all are in use: remove one or give it more"
            + " capacity",
        filled.length);
    start.check(config);
    for (SHARNNState.Layer layer : start.layers()) {
      layer.check(start.batchSize(), config.embeddingSize(), layer.hidden().getDataType());
    }
    int remembered = remembered(start);
    if (streams == 0) {
      slot = remembered % slots;
      used = remembered;
    } else if (remembered > used) {
      used = slots; // its oldest positions lie at the rings' end
    }
    try (NDManager scratch = manager.newSubManager()) {
      NDIndex row = new NDIndex("{}", streams);
      if (config.hasAttention()) {
        rings.head().set(row, mask(remembered, scratch));
      }
      for (int layer = 0; layer < config.layers(); layer++) {
        SHARNNState.Layer from = start.layers().get(layer);
        recurrent.get(2 * layer).set(row, onlyRow(from.hidden(), scratch));
        recurrent.get(2 * layer + 1).set(row, onlyRow(from.cell(), scratch));
        if (remembered > 0 && config.hasAttention(layer)) {
          NDArray newest = from.memory().last(remembered).positions();
          newest.attach(scratch);
          remember(layer, onlyRow(newest, scratch));
        }
      }
    }
    filled[streams] = remembered;
    streams++;
  }

  private int remembered(SHARNNState state) {
    int length = 0;
    for (SHARNNState.Layer layer : state.layers()) {
      checkArgument(
          layer.hidden().size(0) == 1,
          "the state must be of one stream, but is of %s: take each with SHARNNState.streams",
          layer.hidden().size(0));
      length = layer.memory() == null ? length : layer.memory().length();
    }
    return Math.min(length, config.memoryLength());
  }

  /** That of the only stream, outside any gradient graph: {@code (1, ...) -> (...)}. */
  private NDArray onlyRow(NDArray array, NDManager scratch) {
    NDArray alias = array.stopGradient();
    alias.attach(scratch);
    return alias.squeeze(0).toType(precision, false);
  }

  private NDArray mask(int remembered, NDManager scratch) {
    float[] mask = new float[slots];
    for (int age = 1; age <= slots; age++) {
      mask[IntMath.mod(slot - age, slots)] = age <= remembered ? 0 : Float.NEGATIVE_INFINITY;
    }
    return scratch.create(mask).toType(precision, false);
  }

  /** Writes positions {@code (M, C)} into the rings of a new stream. */
  private void remember(int layer, NDArray positions) {
    write(rings.get(2 * layer + 1), weights.key(layer, positions));
    NDArray values = rings.get(2 * layer + 2);
    if (values.size() > 0) {
      write(values, weights.value(layer, positions));
    }
  }

  private void write(NDArray ring, NDArray positions) {
    int count = Math.toIntExact(positions.size(0));
    int begin = IntMath.mod(slot - count, slots);
    int ahead = Math.min(count, slots - begin);
    write(ring, begin, positions.get(new NDIndex("0:{}", ahead)));
    if (ahead < count) {
      write(ring, 0, positions.get(new NDIndex("{}:", ahead)));
    }
  }

  private void write(NDArray ring, int begin, NDArray positions) {
    long end = begin + positions.size(0);
    ring.set(new NDIndex("{}, {}:{}", streams, begin, end), positions);
  }

  /** Removes a stream; the last one takes its place. */
  void remove(int stream) {
    Objects.checkIndex(stream, streams);
    int last = streams - 1;
    if (stream < last) {
      for (NDArray buffer : new NDList(recurrent).addAll(rings)) {
        if (buffer.size() > 0) {
          try (NDArray moved = buffer.get(last)) {
            buffer.set(new NDIndex("{}", stream), moved);
          }
        }
      }
      filled[stream] = filled[last];
    }
    streams = last;
  }
}
