package io.github.sharnn.decode;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.collect.Iterables;
import com.google.common.collect.Streams;
import com.google.common.math.IntMath;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * The state of a decoder's streams: hidden and cell of each layer, and attention's keys and values
 * as ring buffers. Every array has a row for each stream of the capacity. The streams in use have
 * the first rows.
 *
 * <p>A ring buffer has {@code memoryLength} slots. All streams write the same slot for a token.
 * Going backward around the ring from the next slot, a stream's positions get older. The arrays
 * double whenever the text needs more slots, since a model's file may claim any memory length. The
 * ring closes only when all slots are allocated.
 */
final class KeyValueCache {

  /** A GPU multiplies matrices faster if their number of rows is a multiple of this one. */
  private static final int ALIGNMENT = 8;

  /** The slots allocated at first; a multiple of {@link #ALIGNMENT}. */
  static final int FIRST_SLOTS = 256;

  private final SHARNNConfig config;
  private final DecoderWeights weights;
  private final NDManager manager;
  private final DataType precision;
  private final DataType keyType; // of keys and values
  private final NDList states = new NDList(); // hidden and cell of each layer
  private final Map<String, NDArray> arrays = new LinkedHashMap<>();
  private final int slots; // of a ring buffer
  private int allocated; // slots, a multiple of ALIGNMENT or all
  private final int[] lengths; // filled slots of each stream
  private int streams;
  private int position; // the next slot to be written, of all streams
  private int used; // all slots from this one on are empty

  /**
   * Allocates the arrays that {@code names} lists; the manager owns them. Keys and values get
   * {@code keyType}, the others {@code precision}.
   */
  KeyValueCache(
      SHARNNConfig config,
      DecoderWeights weights,
      Set<String> names,
      NDManager manager,
      int capacity,
      DataType precision,
      DataType keyType) {
    this.config = config;
    this.weights = weights;
    this.manager = manager;
    this.precision = precision;
    this.keyType = keyType;
    lengths = new int[capacity];
    slots = Math.max(config.memoryLength(), 1); // a token always sees its own position
    for (int i = 0; i < 2 * config.layers(); i++) {
      states.add(manager.zeros(new Shape(capacity, config.embeddingSize()), precision));
    }
    allocated = Math.min(FIRST_SLOTS, slots);
    names.forEach(name -> arrays.put(name, empty(name)));
  }

  private NDArray empty(String name) {
    // zeros, because masked positions still take part in the product with the values
    return name.equals(TokenScript.MASK)
        ? manager.full(new Shape(lengths.length, allocated), Float.NEGATIVE_INFINITY, precision)
        : manager.zeros(new Shape(lengths.length, allocated, config.embeddingSize()), keyType);
  }

  /** Allocates the next token's slot, and returns true if {@link #arrays} has changed. */
  boolean makeRoom() {
    if (position < allocated) {
      return false;
    }
    reallocate(position + 1, 0);
    return true;
  }

  /** Doubles the arrays until they have enough slots, and moves the positions ahead. */
  private void reallocate(int enough, int ahead) {
    int before = Math.min(position, allocated); // the filled slots, because the ring is not closed
    while (allocated < enough) {
      allocated = (int) Math.min(2L * allocated, slots);
    }
    arrays.replaceAll(
        (name, old) -> {
          NDArray larger = empty(name);
          if (before > 0) {
            try (NDArray filled = old.get(new NDIndex(":, 0:{}", before))) {
              larger.set(new NDIndex(":, {}:{}", ahead, ahead + before), filled);
            }
          }
          old.close();
          return larger;
        });
  }

  /** Returns the number of streams in use. */
  int streams() {
    return streams;
  }

  /** Returns hidden and cell of each layer, {@code (capacity, C)} each. */
  NDList states() {
    return states;
  }

  /**
   * Returns the arrays of attention by name: the mask {@code (capacity, allocated slots)}, 0 at
   * filled slots and minus infinity at others; of each layer with attention its keys and, if they
   * differ, its values {@code (capacity, allocated slots, C)}.
   */
  Map<String, NDArray> arrays() {
    return arrays;
  }

  /** Returns the bytes of all arrays. */
  long bytes() {
    return Streams.stream(Iterables.concat(states, arrays.values()))
        .mapToLong(array -> array.size() * array.getDataType().getNumOfBytes())
        .sum();
  }

  /** Returns the number of allocated slots of each stream. */
  int allocatedSlots() {
    return allocated;
  }

  /** Returns the slot that the next token is written to. */
  int position() {
    return position;
  }

  /** Returns the number of slots, from the first on, that the next token attends to. */
  int visibleSlots() {
    int aligned = IntMath.divide(usedNext(), ALIGNMENT, RoundingMode.CEILING) * ALIGNMENT;
    return Math.min(aligned, slots);
  }

  private int usedNext() {
    return Math.max(used, position + 1);
  }

  /** Returns whether every stream has filled its ring buffers. */
  boolean full() {
    return Arrays.stream(lengths, 0, streams).allMatch(count -> count == slots);
  }

  /** Moves on by a token in each stream. */
  void advance() {
    used = usedNext();
    position = (position + 1) % slots;
    for (int row = 0; row < streams; row++) {
      lengths[row] = Math.min(lengths[row] + 1, slots);
    }
  }

  /** Adds a stream as the last one, as {@link SHARNNDecoder#add} says. */
  void add(SHARNNState start) {
    checkState(
        streams < lengths.length,
        "the decoder has room for %s streams, and all are in use: remove one or give it more"
            + " capacity",
        lengths.length);
    start.check(config);
    for (SHARNNState.Layer layer : start.layers()) {
      layer.check(start.batchSize(), config.embeddingSize(), layer.hidden().getDataType());
    }
    int remembered = remembered(start);
    if (streams == 0) {
      position = 0; // nothing to keep
      place(remembered);
    } else if (remembered > used && allocated < slots) {
      place(remembered);
    } else if (remembered > used) {
      used = slots; // its oldest positions wrap around to the end of the ring
    }
    try (NDManager scratch = manager.newSubManager()) {
      NDIndex row = new NDIndex("{}", streams);
      if (config.hasAttention()) {
        arrays.get(TokenScript.MASK).set(row, mask(remembered, scratch));
      }
      for (int layer = 0; layer < config.layers(); layer++) {
        SHARNNState.Layer from = start.layers().get(layer);
        states.get(2 * layer).set(row, onlyRow(from.hidden(), scratch));
        states.get(2 * layer + 1).set(row, onlyRow(from.cell(), scratch));
        if (remembered > 0 && config.hasAttention(layer)) {
          NDArray newest = from.memory().last(remembered).positions();
          newest.attach(scratch);
          remember(layer, onlyRow(newest, scratch));
        }
      }
    }
    lengths[streams] = remembered;
    streams++;
  }

  /** Moves the other streams' positions ahead, so that this many slots are before the next. */
  private void place(int remembered) {
    if (position > 0 || remembered > allocated) {
      reallocate(remembered, remembered - position);
    }
    position = remembered % slots;
    used = remembered;
  }

  private int remembered(SHARNNState state) {
    checkArgument(
        state.batchSize() == 1,
        "the state must be of one stream, but is of %s: take each with SHARNNState.streams",
        state.batchSize());
    Integer layer = Iterables.getLast(config.attentionLayers(), null);
    int length = layer == null ? 0 : state.layers().get(layer).memory().length();
    return Math.min(length, config.memoryLength());
  }

  /** Returns the only stream's row, outside any gradient graph: {@code (1, ...) -> (...)}. */
  private NDArray onlyRow(NDArray array, NDManager scratch) {
    NDArray alias = array.stopGradient();
    alias.attach(scratch);
    return alias.squeeze(0).toType(precision, false);
  }

  private NDArray mask(int remembered, NDManager scratch) {
    float[] mask = new float[allocated];
    Arrays.fill(mask, Float.NEGATIVE_INFINITY);
    for (int age = 1; age <= remembered; age++) {
      mask[IntMath.mod(position - age, slots)] = 0;
    }
    return scratch.create(mask).toType(precision, false);
  }

  /** Writes positions {@code (M, C)} into the ring buffers of a new stream. */
  private void remember(int layer, NDArray positions) {
    write(arrays.get(TokenScript.KEYS + layer), weights.keys(layer, positions));
    NDArray values = arrays.get(TokenScript.VALUES + layer);
    if (values != null) {
      write(values, weights.values(layer, positions));
    }
  }

  private void write(NDArray ring, NDArray positions) {
    int count = Math.toIntExact(positions.size(0));
    int begin = IntMath.mod(position - count, slots);
    int ahead = Math.min(count, slots - begin);
    write(ring, begin, positions.get(new NDIndex("0:{}", ahead)));
    if (ahead < count) {
      write(ring, 0, positions.get(new NDIndex("{}:", ahead)));
    }
  }

  private void write(NDArray ring, int begin, NDArray positions) {
    long end = begin + positions.size(0);
    NDIndex slots = new NDIndex("{}, {}:{}", streams, begin, end);
    ring.set(slots, positions.toType(keyType, false));
  }

  /** Removes a stream; the last one takes its place. */
  void remove(int stream) {
    Objects.checkIndex(stream, streams);
    int last = streams - 1;
    if (stream < last) {
      for (NDArray buffer : Iterables.concat(states, arrays.values())) {
        try (NDArray moved = buffer.get(last)) {
          buffer.set(new NDIndex("{}", stream), moved);
        }
      }
      lengths[stream] = lengths[last];
    }
    streams = last;
  }
}
