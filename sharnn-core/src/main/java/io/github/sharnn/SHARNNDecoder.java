package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.math.IntMath;
import com.google.common.primitives.Longs;
import io.github.sharnn.torchscript.Operators;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.Objects;
import java.util.Set;

/**
 * Runs streams through a model token by token, side by side: what {@link SHARNN#forward} computes
 * for segments of one token, without copying the memory.
 *
 * <pre>{@code
 * try (SHARNNDecoder decoder = SHARNNDecoder.of(model, manager, 1, DataType.FLOAT32)) {
 *   decoder.add(stateAfterThePrompt);
 *   float[] logits = decoder.next(token)[0];
 * }
 * }</pre>
 *
 * <p>The memory of each stream is a ring of {@code memoryLength} positions, allocated once.
 * Attention has no notion of order, so a new position takes the oldest one's place, and a token
 * costs the same wherever in the text it stands. Weights are prepared once: gates multiplied out,
 * {@link Overparam} collapsed. A token is then one call into PyTorch and one copy of the logits
 * back.
 *
 * <p>The streams may have read texts of different lengths, and may come and go: {@link #add},
 * {@link #remove}. Each gets the logits that it gets alone, but for rounding: a matrix product may
 * sum in another order for another number of rows.
 *
 * <p>It uses the weights as they are at the start, and for those that need no preparing and have
 * the decoder's precision the model's own memory: do not train the model meanwhile. For one thread;
 * several may each have a decoder of one model.
 */
public final class SHARNNDecoder implements AutoCloseable {

  /** A GPU multiplies matrices fast where the number of their rows is a multiple. */
  private static final int ALIGNMENT = 8;

  private static final Set<DataType> PRECISIONS =
      Set.of(DataType.FLOAT16, DataType.FLOAT32, DataType.FLOAT64);

  private final SHARNNConfig config;
  private final DataType precision;
  private final NDManager manager;
  private final DecoderWeights weights;
  private final NDList recurrent = new NDList(); // hidden and cell of each layer
  private final NDList rings = new NDList(); // the mask; keys (or both) and values of each layer
  private final int slots; // of a ring
  private final int[] filled; // slots of each stream
  private int streams;
  private int slot; // the next to be written, of all streams
  private int used; // slots below this one may be filled
  private boolean masked; // whether some ring is not full
  private NDManager views; // owns the streams' views of the buffers, and the call
  private Operators.Prepared token; // on those views

  private SHARNNDecoder(SHARNN model, NDManager manager, int capacity, DataType precision) {
    config = model.config();
    this.precision = precision == null ? model.embedding.getArray().getDataType() : precision;
    this.manager = manager;
    weights = new DecoderWeights(model, manager, this.precision);
    filled = new int[capacity];
    slots = Math.max(config.memoryLength(), 1); // a token always sees its own position
    allocate(capacity);
    view();
  }

  /**
   * Creates a decoder without streams.
   *
   * @param model an initialized model
   * @param parent gets the decoder's arrays and closes them unless {@link #close} does
   * @param capacity the most streams side by side, at least 1; each takes {@code memoryLength * C}
   *     numbers for each layer with attention, twice that with projected keys or values
   * @param precision what to compute in, or null for the weights' own type, which takes no copy of
   *     most of them
   * @return the decoder
   * @throws IllegalArgumentException if {@code capacity} is below 1 or {@code precision} another
   *     type than FLOAT16, FLOAT32 and FLOAT64
   * @throws IllegalStateException if the model has no weights
   */
  public static SHARNNDecoder of(SHARNN model, NDManager parent, int capacity, DataType precision) {
    checkArgument(capacity >= 1, "capacity must be at least 1 stream, but is %s", capacity);
    checkState(
        model.isInitialized(), "a model must be initialized or loaded before it decodes tokens");
    NDManager manager = parent.newSubManager(model.embedding.getArray().getDevice());
    boolean complete = false;
    try {
      SHARNNDecoder decoder =
          NoGradient.call(() -> new SHARNNDecoder(model, manager, capacity, precision));
      complete = true;
      return decoder;
    } finally {
      if (!complete) {
        manager.close();
      }
    }
  }

  /**
   * Checks what to compute in.
   *
   * @param precision a type, or null
   * @throws IllegalArgumentException unless it is FLOAT16, FLOAT32, FLOAT64 or null
   */
  public static void checkPrecision(DataType precision) {
    checkArgument(
        precision == null || PRECISIONS.contains(precision),
        "precision must be FLOAT16, FLOAT32 or FLOAT64, but is %s",
        precision);
  }

  private void allocate(int capacity) {
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

  /** {@return how many streams there are} */
  public int streams() {
    return streams;
  }

  /**
   * Adds a stream. It becomes the last. Add those with the longest memories first: they say how
   * much of the rings all others look at, until those are full.
   *
   * @param start the state of one stream, after its prompt or zero; of any floating type; copied
   * @throws IllegalArgumentException if the state is of more than one stream, or of another number
   *     of layers
   * @throws IllegalStateException if there is no room for one more
   */
  public void add(SHARNNState start) {
    checkState(
        streams < filled.length,
        "the decoder has room for %s streams, and all are in use: remove one or give it more"
            + " capacity",
        filled.length);
    checkArgument(
        start.layers().size() == config.layers(),
        "the state must be of %s layers, but has %s",
        config.layers(),
        start.layers().size());
    int remembered = remembered(start);
    if (streams == 0) {
      slot = remembered % slots;
      used = remembered;
    } else if (remembered > used) {
      used = slots; // its oldest positions lie at the rings' end
    }
    try (NDManager scratch = manager.newSubManager()) {
      if (config.hasAttention()) {
        rings.head().set(new NDIndex("{}", streams), mask(remembered, scratch));
      }
      for (int layer = 0; layer < config.layers(); layer++) {
        SHARNNState.Layer from = start.layers().get(layer);
        NDIndex row = new NDIndex("{}", streams);
        recurrent.get(2 * layer).set(row, row(from.hidden(), scratch));
        recurrent.get(2 * layer + 1).set(row, row(from.cell(), scratch));
        if (remembered > 0 && config.hasAttention(layer)) {
          NDArray newest = from.memory().last(remembered).positions();
          newest.attach(scratch);
          remember(layer, row(newest, scratch));
        }
      }
    }
    filled[streams] = remembered;
    streams++;
    view();
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

  /** The only stream's, outside any gradient graph. */
  private NDArray row(NDArray array, NDManager scratch) {
    NDArray alias = array.stopGradient();
    alias.attach(scratch);
    return alias.squeeze(0).toType(precision, false);
  }

  /** 0 at the filled slots and minus infinity at the others. */
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

  /** The newest lies before the next slot, the others before it, around the ring. */
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

  /**
   * Removes a stream. The last one takes its place, so that no others move.
   *
   * @param stream which, in [0, streams)
   */
  public void remove(int stream) {
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
    view();
  }

  /** Looks at the streams there are, and at the mask where not all rings are full. */
  private void view() {
    if (views != null) {
      views.close();
    }
    views = manager.newSubManager();
    masked = !allFull();
    NDList seen = view(rings);
    if (!masked) {
      seen.set(0, none());
    }
    token = Operators.get().prepare(views, "token", weights.arrays(), view(recurrent), seen);
  }

  private NDList view(NDList buffers) {
    NDList rows = new NDList();
    for (NDArray buffer : buffers) {
      NDArray view = buffer.size() == 0 ? none() : buffer.get(new NDIndex("0:{}", streams));
      view.attach(views);
      rows.add(view);
    }
    return rows;
  }

  private NDArray none() {
    return views.zeros(new Shape(0), precision);
  }

  /**
   * Reads a token in each stream.
   *
   * @param tokens one for each stream, in the order in which they were added, each in [0, V)
   * @return V logits for each stream
   * @throws IllegalArgumentException if there are more or fewer tokens than streams, or one lies
   *     outside the vocabulary
   */
  public float[][] next(long... tokens) {
    checkTokens(tokens);
    used = Math.min(Math.max(used, slot + 1), slots);
    int aligned = IntMath.divide(used, ALIGNMENT, RoundingMode.CEILING) * ALIGNMENT;
    long[] options = Longs.concat(new long[] {slot, Math.min(aligned, slots)}, tokens);
    float[] logits;
    try (NDManager scratch = manager.newSubManager()) {
      logits = weights.logits(token.call(scratch, options)).toFloatArray();
    }
    advance();
    int size = config.vocabularySize();
    float[][] rows = new float[streams][];
    for (int row = 0; row < streams; row++) {
      rows[row] = Arrays.copyOfRange(logits, row * size, (row + 1) * size);
    }
    return rows;
  }

  private void advance() {
    slot = (slot + 1) % slots;
    for (int row = 0; row < streams; row++) {
      filled[row] = Math.min(filled[row] + 1, slots);
    }
    if (masked && allFull()) {
      view();
    }
  }

  private boolean allFull() {
    return Arrays.stream(filled, 0, streams).allMatch(count -> count == slots);
  }

  private void checkTokens(long[] tokens) {
    checkArgument(
        streams > 0 && tokens.length == streams,
        "there must be one token for each of at least one stream, but there are %s for %s",
        tokens.length,
        streams);
    for (long token : tokens) {
      checkArgument(
          token >= 0 && token < config.vocabularySize(),
          "tokens must lie between 0 and vocabularySize - 1 (%s), but one is %s",
          config.vocabularySize() - 1,
          token);
    }
  }

  /** What it keeps from token to token. */
  NDList arrays() {
    return new NDList(recurrent).addAll(rings).addAll(weights.arrays());
  }

  /** Frees all arrays but the model's. */
  @Override
  public void close() {
    manager.close();
  }
}
