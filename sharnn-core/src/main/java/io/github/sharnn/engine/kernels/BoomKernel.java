package io.github.sharnn.engine.kernels;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Map;

/**
 * The Boom's activation, dropout and sum of chunks in one pass. Backward draws the dropout's mask
 * again, so no mask is stored, and writes the gradient over the activation's input.
 *
 * @param kernels the GPU's kernels
 * @param size the width C of a chunk
 * @param boomSize the width H of all chunks
 */
public record BoomKernel(Kernels kernels, long size, long boomSize) {

  private static final String FORWARD = "boom_forward";
  private static final String BACKWARD = "boom_backward";
  private static final int USUAL_CHUNKS = 4; // another number compiles again
  private static final int THREADS = 256;
  private static final int COLUMNS = 8; // of a thread
  private static final int FIELD = 1 << 16; // the dropout's rate is exact to 1 / FIELD

  /** Compiles both directions for the usual number of chunks. */
  static void compile(Kernels kernels, long size) {
    BoomKernel usual = new BoomKernel(kernels, size, USUAL_CHUNKS * size);
    usual.kernel(FORWARD);
    usual.kernel(BACKWARD);
  }

  private Kernel kernel(String function) {
    return kernels.kernel("boom.cu", function, Map.of("C", size, "H", boomSize), THREADS, 0);
  }

  /** One pass, with what its backward needs. */
  public final class Pass {

    private final NDArray u;
    private final int threshold;
    private final long seed;

    private Pass(NDArray u, float dropout) {
      this.u = u;
      threshold = Math.round(dropout * FIELD);
      seed = threshold == 0 ? 0 : seed(u.getManager());
    }

    /** {@return the output (N, C), owned by the manager of u} */
    public NDArray forward() {
      NDArray output = u.getManager().create(new Shape(rows(), size), DataType.FLOAT16);
      launch(FORWARD, u, output);
      return output;
    }

    /**
     * {@return the gradient of u, in place of u}
     *
     * @param gradient the output's gradient {@code (N, C)}
     */
    public NDArray backward(NDArray gradient) {
      launch(BACKWARD, u, gradient);
      return u.stopGradient();
    }

    private long rows() {
      return u.size() / boomSize;
    }

    private void launch(String function, NDArray first, NDArray second) {
      long count = rows() * size / COLUMNS;
      kernel(function)
          .launch(
              Math.toIntExact((count + THREADS - 1) / THREADS),
              first,
              second,
              count,
              threshold,
              seed);
    }
  }

  /**
   * Starts a pass.
   *
   * @param u {@code W1 x + b1}, {@code (N, H)}, kept until backward
   * @param dropout the rate of the dropout after the activation, 0 for none
   * @return the pass, not yet run
   */
  public Pass pass(NDArray u, float dropout) {
    return new Pass(u, dropout);
  }

  /** Draws a seed from the host's generator, which does not wait for the GPU. */
  private static long seed(NDManager manager) {
    try (NDManager host = manager.newSubManager(Device.cpu());
        NDArray drawn =
            host.randomInteger(Long.MIN_VALUE, Long.MAX_VALUE, new Shape(1), DataType.INT64)) {
      return drawn.getLong();
    }
  }
}
