package io.github.sharnn.train.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import io.github.sharnn.engine.Operators;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Scalars on their way from the device to the host. A GPU copies them as soon as they are computed,
 * although the host has launched more work behind them. A plain read would wait for all of that
 * work, and the GPU would then wait for the host.
 */
public final class Readback implements AutoCloseable {

  /** The number in host memory until the GPU's copy arrives; no norm and no loss is this low. */
  private static final float ABSENT = -Float.MAX_VALUE;

  private static final long POLL_NANOS = TimeUnit.MICROSECONDS.toNanos(20);
  private static final long PLAIN_READ_NANOS = TimeUnit.SECONDS.toNanos(2);

  private final NDArray scalars; // on the device, (N)
  private final @Nullable NDArray host; // page-locked memory that the GPU writes; null on a CPU

  /** Launches the copy of FLOAT32 scalars of one device, which the first one's manager owns. */
  Readback(NDList scalars) {
    this.scalars = Operators.get().call("stack", scalars);
    host =
        this.scalars.getDevice().isGpu()
            ? Operators.get().call("to_host", new float[] {ABSENT}, new NDList(this.scalars))
            : null;
  }

  /**
   * Waits until the scalars are computed.
   *
   * @return the scalars, in their order
   * @throws ai.djl.engine.EngineException if work on the GPU failed
   */
  public float[] await() {
    if (host == null) {
      return scalars.toFloatArray();
    }
    long begin = System.nanoTime();
    while (true) {
      float[] values = host.toFloatArray();
      if (arrived(values)) {
        return values;
      }
      if (System.nanoTime() - begin > PLAIN_READ_NANOS) {
        return scalars.toFloatArray(); // reports the error of a GPU that copies nothing any more
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  private static boolean arrived(float[] values) {
    for (float value : values) {
      if (value == ABSENT) {
        return false;
      }
    }
    return true;
  }

  /** Frees the copies. */
  @Override
  public void close() {
    scalars.close();
    if (host != null) {
      host.close();
    }
  }
}
