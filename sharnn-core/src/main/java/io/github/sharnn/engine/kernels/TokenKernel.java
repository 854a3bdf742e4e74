package io.github.sharnn.engine.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One token of each stream through a whole model, in one launch. {@code token.cu} is the source.
 *
 * <p>Tokens and logits are in the host's memory, where the GPU reads and writes them. A token is
 * one launch, and one wait for its end.
 */
public final class TokenKernel implements AutoCloseable {

  private static final int THREADS = 256;
  private static final int WARPS = THREADS / 32;
  private static final int TILE = 8; // streams that a warp multiplies at once
  private static final int INT = 4; // bytes
  private static final int LONG = 8;
  private static final int INTS = 8; // numbers after the addresses, with one that fills up 8 bytes

  /**
   * A model's sizes.
   *
   * @param size the embedding size C, a multiple of 128, at most 1,024
   * @param chunks the Boom's size / C, at most 16
   * @param layers the number of layers
   * @param attentions the number of layers with attention
   * @param vocabulary the number of tokens V
   * @param precision FLOAT16 or FLOAT32
   * @param epsilon what layer norms add to the variance
   */
  public record Dimensions(
      int size,
      int chunks,
      int layers,
      int attentions,
      int vocabulary,
      DataType precision,
      double epsilon) {

    private int bytes(int numbers) {
      return numbers * precision.getNumOfBytes();
    }

    /** Returns the shared memory for a number of streams: sums, two inputs, and statistics. */
    int sharedBytes(int streams) {
      return streams * (16 * WARPS * INT + 2 * (bytes(size) + 64) + 2 * INT);
    }

    /** Returns the shared memory for attention: memory's slots, which make room for sums. */
    int attentionBytes(int depth) {
      int run = precision == DataType.FLOAT16 ? 2 : 1;
      return WARPS * Math.max(depth * bytes(run * size), size * INT + 2 * INT);
    }

    /** Returns the most streams that fit a block's shared memory. */
    int mostStreams(int sharedMemory) {
      return sharedMemory / sharedBytes(1) / TILE * TILE;
    }

    /** Returns the runs of slots that a warp fetches ahead. */
    int depth(int sharedMemory) {
      return attentionBytes(4) <= sharedMemory ? 4 : 2;
    }

    /** Returns the streams that go through shared memory at once, a multiple of 8. */
    int chunk(int streams, int sharedMemory) {
      int most = mostStreams(sharedMemory);
      int parts = Math.max((streams + most - 1) / most, 1);
      return (streams + parts * TILE - 1) / (parts * TILE) * TILE;
    }
  }

  private final Dimensions dimensions;
  private final Kernel kernel;
  private final CudaDriver driver;
  private final int blocks;
  private final int phases;
  private final int sharedMemory;
  private final NDList scratch; // in the source's order
  private final Pointer host; // tokens, then logits
  private final long logits; // offset
  private int streams;
  private int passed; // overflows, as in the source
  private @Nullable Memory arguments;
  private long numbers; // their offset in the arguments

  /**
   * Compiles the kernel, unless it is compiled, and allocates what it computes with.
   *
   * @param kernels the GPU's kernels
   * @param dimensions the model's sizes
   * @param manager owns the arrays, and closes this kernel
   * @param capacity the largest number of streams
   */
  public TokenKernel(Kernels kernels, Dimensions dimensions, NDManager manager, int capacity) {
    this.dimensions = dimensions;
    driver = kernels.driver();
    blocks = kernels.multiprocessors();
    sharedMemory = kernels.sharedMemory();
    phases = 2 * dimensions.layers + 3 * dimensions.attentions + 1;
    kernel = compile(kernels, dimensions);
    scratch = scratch(manager, capacity);
    logits = (long) (capacity + 15) / 16 * 16 * INT;
    host = driver.hostMemory(logits + (long) capacity * dimensions.vocabulary * INT);
    manager.attachInternal("TokenKernel", this);
  }

  /** Returns the function for a model's sizes, compiled. */
  static Kernel compile(Kernels kernels, Dimensions dimensions) {
    int sharedMemory = kernels.sharedMemory();
    int depth = dimensions.depth(sharedMemory);
    Map<String, Object> constants = new HashMap<>();
    constants.put("C", dimensions.size);
    constants.put("CHUNKS", dimensions.chunks);
    constants.put("LAYERS", dimensions.layers);
    constants.put("EPSILON", dimensions.epsilon + "f");
    constants.put("DEPTH", depth);
    if (dimensions.precision == DataType.FLOAT16) {
      constants.put("HALF", 1);
    }
    int bytes =
        Math.max(
            dimensions.sharedBytes(dimensions.mostStreams(sharedMemory)),
            dimensions.attentionBytes(depth));
    return kernels.kernel("token.cu", "token_step", constants, THREADS, bytes);
  }

  private NDList scratch(NDManager manager, int capacity) {
    int units = Math.max(blocks, capacity); // attention's slices of all streams
    NDList arrays = new NDList();
    for (int i = 0; i < 4; i++) {
      arrays.add(manager.zeros(shape(capacity, dimensions.size), dimensions.precision));
    }
    arrays.add(manager.zeros(shape(units, dimensions.size), DataType.FLOAT32));
    arrays.add(manager.zeros(shape(units, 2), DataType.FLOAT32));
    arrays.add(manager.zeros(shape(capacity, 2), DataType.FLOAT32));
    arrays.add(manager.zeros(shape(1), DataType.INT32));
    return arrays;
  }

  private static Shape shape(long... sizes) {
    return new Shape(sizes);
  }

  /**
   * Sets the arrays of the next tokens, which the caller keeps alive.
   *
   * @param arrays weights and states in the order of the source's structures {@code Layer} and
   *     {@code Token}; null for those that the model does not have
   * @param mask the mask, or null if all slots are filled
   * @param slots the slots of each stream's memory
   * @param count the number of streams
   */
  public void bind(List<@Nullable NDArray> arrays, @Nullable NDArray mask, int slots, int count) {
    streams = count;
    long[] addresses = new long[arrays.size() + scratch.size() + 3];
    int next = 0;
    for (NDArray array : arrays) {
      addresses[next++] = array == null ? 0 : DeviceAddress.of(array);
    }
    for (NDArray array : scratch) {
      addresses[next++] = DeviceAddress.of(array);
    }
    addresses[next++] = mask == null ? 0 : DeviceAddress.of(mask);
    addresses[next++] = Pointer.nativeValue(host);
    addresses[next++] = Pointer.nativeValue(host) + logits;
    numbers = LONG + (long) next * LONG; // after the address of the only parameter
    Memory memory = new Memory(numbers + INTS * INT);
    memory.setLong(0, Pointer.nativeValue(memory) + LONG);
    memory.write(LONG, addresses, 0, next);
    int chunk = dimensions.chunk(count, sharedMemory);
    memory.write(numbers, new int[] {dimensions.vocabulary, chunk, count, slots}, 0, 4);
    arguments = memory;
  }

  /**
   * Computes a token of each stream.
   *
   * @param tokens a token for each stream
   * @param position the slot that the token is written to
   * @param used the number of slots, from the first on, that the token attends to
   * @return V logits for each stream
   */
  public float[][] next(long[] tokens, int position, int used) {
    for (int i = 0; i < streams; i++) {
      host.setInt((long) i * INT, (int) tokens[i]);
    }
    arguments.write(numbers + 4 * INT, new int[] {position, used, passed}, 0, 3);
    kernel.launchTogether(blocks, arguments);
    passed += phases * blocks;
    driver.synchronize();
    float[][] rows = new float[streams][];
    for (int i = 0; i < streams; i++) {
      long row = (long) i * dimensions.vocabulary * INT;
      rows[i] = host.getFloatArray(logits + row, dimensions.vocabulary);
    }
    return rows;
  }

  /** Frees the host's memory. */
  @Override
  public void close() {
    driver.freeHostMemory(host);
  }
}
