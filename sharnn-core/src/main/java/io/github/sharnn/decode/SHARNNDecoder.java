package io.github.sharnn.decode;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.primitives.Longs;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.engine.InferenceMode;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.engine.TorchScript;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A decoder that runs several streams through a model in parallel, token by token. It computes the
 * same as {@link SHARNN#forward} on segments of one token, but does not copy the memory.
 *
 * <pre>{@code
 * try (SHARNNDecoder decoder = SHARNNDecoder.of(model, manager, 1, DataType.FLOAT32)) {
 *   decoder.add(stateAfterThePrompt);
 *   float[] logits = decoder.next(token)[0];
 * }
 * }</pre>
 *
 * <p>Each stream's memory is a ring buffer of {@code memoryLength} positions. It is allocated as
 * the text grows, by doubling. Attention does not depend on the order of positions, so a new
 * position overwrites the oldest. The cost of a token does not depend on its position in the text.
 * Weights are prepared once: gates are multiplied into them and {@link io.github.sharnn.Overparam}
 * is collapsed. Each token then needs one call into PyTorch and one copy of the logits to the host.
 * On an NVIDIA GPU it is one launch of this library's own kernel, if {@link SHARNN#kernels} allows
 * it and the kernel can compute the model.
 *
 * <p>Streams may have texts of different lengths, and may come and go: {@link #add}, {@link
 * #remove}. Each stream gets the same logits as alone, up to rounding: a matrix product may sum in
 * another order for another number of rows. In INT8 the difference is larger, because the
 * activations of all streams are rounded to 8 bits with one scale.
 *
 * <p>The decoder copies the weights that it prepares or casts, and shares the others with the
 * model. Do not train the model while the decoder is in use. A decoder is not thread-safe. Several
 * threads may each have a decoder of the same model.
 */
public final class SHARNNDecoder implements AutoCloseable {

  private static final Set<DataType> PRECISIONS =
      Set.of(DataType.INT8, DataType.FLOAT16, DataType.FLOAT32, DataType.FLOAT64);

  private final SHARNN model;
  private final SHARNNConfig config;
  private final DataType precision; // of all arrays but keys, values and packed matrices
  private final NDManager manager;
  private final DecoderWeights weights;
  private final KeyValueCache cache;
  private final @Nullable KernelStep kernel;
  private final @Nullable TorchScript module; // without the kernel
  private boolean masked; // whether some ring buffer is not full
  private NDManager views; // owns the views and the prepared call
  private TorchScript.Prepared step;

  private SHARNNDecoder(SHARNN model, NDManager manager, int capacity, DataType precision) {
    this.model = model;
    config = model.config();
    boolean int8 = precision == DataType.INT8;
    this.precision = int8 ? DataType.FLOAT32 : precision;
    this.manager = manager;
    TokenScript script = new TokenScript(config, int8);
    weights = new DecoderWeights(model, script, manager, this.precision);
    DataType keyType = int8 ? DataType.FLOAT16 : precision;
    cache =
        new KeyValueCache(
            config, weights, script.cache(), manager, capacity, this.precision, keyType);
    kernel = KernelStep.of(model, precision, weights, cache, manager, capacity);
    module = kernel == null ? script.module() : null;
    view();
  }

  /**
   * Creates a decoder without streams.
   *
   * @param model an initialized model
   * @param parent the manager that owns the decoder's arrays until {@link #close}
   * @param capacity the maximum number of streams, at least 1; each takes {@code memoryLength * C}
   *     numbers for each layer with attention once a text is that long, twice that with projected
   *     keys or values
   * @param precision the data type of the computation, or null for the weights' own type, which
   *     avoids copies of most weights. INT8 rounds matrices, and the activations that they are
   *     multiplied by, to 8 bits, and keeps keys and values in FLOAT16
   * @return the decoder
   * @throws IllegalArgumentException if {@code capacity} is below 1, {@code precision} another type
   *     than INT8, FLOAT16, FLOAT32 and FLOAT64, or INT8 on a GPU or of weights not in FLOAT32
   * @throws IllegalStateException if the model has no weights, or is closed, or requires kernels
   *     that can't run, or {@code precision} is INT8 and PyTorch has no int8 products here
   */
  public static SHARNNDecoder of(SHARNN model, NDManager parent, int capacity, DataType precision) {
    checkArgument(capacity >= 1, "capacity must be at least 1 stream, but is %s", capacity);
    checkPrecision(precision);
    checkState(
        model.isInitialized(), "a model must be initialized or loaded before it decodes tokens");
    Device device = model.embedding.getArray().getDevice();
    checkArgument(
        precision != DataType.INT8 || !device.isGpu(),
        "the precision INT8 is for a CPU, but the model is on %s: use FLOAT16",
        device);
    Lifetime.Lease lease = model.leaseOfWeights();
    try (lease) {
      NDManager manager = parent.newSubManager(device);
      try {
        DataType type = precision == null ? defaultPrecision(model) : precision;
        return InferenceMode.call(() -> new SHARNNDecoder(model, manager, capacity, type));
      } catch (Throwable e) {
        manager.close();
        throw e;
      }
    }
  }

  /**
   * Checks that a decoder can compute in a type.
   *
   * @param precision the type, or null for the weights' own
   * @throws IllegalArgumentException if it is another type than INT8, FLOAT16, FLOAT32 and FLOAT64
   */
  public static void checkPrecision(DataType precision) {
    checkArgument(
        precision == null || PRECISIONS.contains(precision),
        "precision must be INT8, FLOAT16, FLOAT32 or FLOAT64, but is %s",
        precision);
  }

  /**
   * {@return which kernels a decoder of a model runs, and why} such as {@code sharnn's} or {@code
   * PyTorch's, because kernels are off}
   *
   * @param model an initialized model
   * @param precision the decoder's type, or null for the weights' own
   */
  public static String kernels(SHARNN model, DataType precision) {
    return KernelStep.describe(model, precision == null ? defaultPrecision(model) : precision);
  }

  /**
   * {@return the type that a decoder computes in unless told otherwise: INT8 for a quantized model
   * on a CPU, else that of the weights}
   *
   * @param model an initialized model
   */
  public static DataType defaultPrecision(SHARNN model) {
    return model.isQuantized() && !model.packed().isEmpty()
        ? DataType.INT8
        : model.embedding.getArray().getDataType();
  }

  /** {@return the number of streams} */
  public int streams() {
    return cache.streams();
  }

  /**
   * Adds a stream as the last one. Add streams with long memories first: until the ring buffers are
   * full, the longest memory decides how many positions all streams attend to, and a longer one
   * copies the others.
   *
   * @param start the state of one stream, after its prompt or zero; of any floating type; copied
   * @throws IllegalArgumentException if the state is of more than one stream, or of another model
   * @throws IllegalStateException if there is no room for one more, or the model is closed
   */
  public void add(SHARNNState start) {
    Lifetime.Lease lease = model.leaseOfWeights();
    try (lease) {
      cache.add(start);
      view();
    }
  }

  /**
   * Removes a stream. The last stream takes its index; no other stream moves.
   *
   * @param stream the index, in [0, streams)
   * @throws IndexOutOfBoundsException if there is no such stream
   */
  public void remove(int stream) {
    Lifetime.Lease lease = model.leaseOfWeights();
    try (lease) {
      cache.remove(stream);
      view();
    }
  }

  /** Prepares the step for the rows in use, without a mask if all ring buffers are full. */
  private void view() {
    if (views != null) {
      views.close();
    }
    views = manager.newSubManager();
    masked = !cache.full();
    if (kernel != null) {
      kernel.view(masked);
      return;
    }
    NDList attention = new NDList();
    cache
        .arrays()
        .forEach(
            (name, array) ->
                attention.add(
                    masked || !name.equals(TokenScript.MASK)
                        ? view(array)
                        : views.zeros(new Shape(0), precision)));
    NDList states = new NDList();
    cache.states().forEach(array -> states.add(view(array)));
    NDList all = new NDList(weights.arrays().values());
    step = module.prepare(views, "token", weights.packed(), all, states, attention);
  }

  private NDArray view(NDArray array) {
    NDArray view = array.get(new NDIndex("0:{}", streams())); // (capacity, ...) -> (streams, ...)
    view.attach(views);
    return view;
  }

  /**
   * Reads a token in each stream.
   *
   * @param tokens one for each stream, by the stream's index, each in [0, V)
   * @return V logits for each stream, by the stream's index
   * @throws IllegalArgumentException if there are more or fewer tokens than streams, or one lies
   *     outside the vocabulary
   * @throws IllegalStateException if the model is closed
   */
  public float[][] next(long... tokens) {
    checkTokens(tokens);
    Lifetime.Lease lease = model.leaseOfWeights();
    try (lease) {
      if (cache.makeRoom()) {
        view();
      }
      float[][] rows = kernel == null ? script(tokens) : kernel.next(tokens);
      cache.advance();
      if (masked && cache.full()) {
        view();
      }
      return rows;
    }
  }

  private float[][] script(long... tokens) {
    long[] options = Longs.concat(new long[] {cache.position(), cache.visibleSlots()}, tokens);
    float[] logits;
    try (NDManager scratch = manager.newSubManager()) {
      logits = weights.logits(step.call(scratch, options)).toFloatArray();
    }
    int size = config.vocabularySize();
    float[][] rows = new float[streams()][];
    for (int row = 0; row < rows.length; row++) {
      rows[row] = Arrays.copyOfRange(logits, row * size, (row + 1) * size);
    }
    return rows;
  }

  private void checkTokens(long[] tokens) {
    checkArgument(
        streams() > 0 && tokens.length == streams(),
        "there must be one token for each of at least one stream, but there are %s for %s",
        tokens.length,
        streams());
    for (long token : tokens) {
      checkArgument(
          token >= 0 && token < config.vocabularySize(),
          "tokens must lie between 0 and vocabularySize - 1 (%s), but one is %s",
          config.vocabularySize() - 1,
          token);
    }
  }

  /**
   * {@return the bytes of memory that the decoder takes next to its model: prepared weights, state,
   * and keys and values as far as they are allocated}
   */
  public long bytes() {
    return weights.bytes() + cache.bytes();
  }

  /** Returns the arrays that live from token to token. */
  NDList arrays() {
    NDList arrays = new NDList(cache.states());
    arrays.addAll(cache.arrays().values());
    arrays.addAll(weights.arrays().values());
    return arrays;
  }

  /** Frees all arrays but the model's. */
  @Override
  public void close() {
    manager.close();
  }
}
