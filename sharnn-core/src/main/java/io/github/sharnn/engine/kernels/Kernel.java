package io.github.sharnn.engine.kernels;

import ai.djl.ndarray.NDArray;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;

/** A compiled function on one GPU. */
record Kernel(CudaDriver driver, Pointer function, int threads, int sharedBytes) {

  private static final int SLOT = 8; // bytes of a parameter, or of a pointer to one

  /** Launches independent blocks. The arguments are arrays and numbers, in the source's order. */
  void launch(int blocks, Object... arguments) {
    launch(blocks, false, arguments);
  }

  /** Launches blocks that wait for one another, so all of them must be resident. */
  void launchTogether(int blocks, Object... arguments) {
    launch(blocks, true, arguments);
  }

  /** Launches blocks that wait for one another, with pointers to the parameters' values. */
  void launchTogether(int blocks, Pointer parameters) {
    driver.launch(function, blocks, threads, sharedBytes, true, parameters);
  }

  private void launch(int blocks, boolean together, Object... arguments) {
    try (Memory memory = new Memory((long) arguments.length * 2 * SLOT)) {
      long values = Pointer.nativeValue(memory) + (long) arguments.length * SLOT;
      for (int i = 0; i < arguments.length; i++) {
        long at = (long) (arguments.length + i) * SLOT;
        memory.setPointer((long) i * SLOT, new Pointer(values + (long) i * SLOT));
        if (arguments[i] instanceof NDArray array) {
          memory.setLong(at, DeviceAddress.of(array));
        } else if (arguments[i] instanceof Long number) {
          memory.setLong(at, number);
        } else {
          memory.setInt(at, (Integer) arguments[i]);
        }
      }
      driver.launch(function, blocks, threads, sharedBytes, together, memory);
    }
  }

  static {
    if (Native.POINTER_SIZE != SLOT) {
      throw new CudaException("cuLaunchKernel", "kernels need a 64-bit Java");
    }
  }
}
