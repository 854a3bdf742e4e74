package io.github.sharnn.engine.kernels;

import com.google.common.collect.Lists;
import com.sun.jna.Memory;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;
import java.util.List;

/** The functions of NVIDIA's driver that kernels need, for one GPU. */
final class CudaDriver {

  // CUdevice_attribute
  static final int MULTIPROCESSORS = 16;
  static final int MAJOR = 75;
  static final int MINOR = 76;
  static final int COOPERATIVE_LAUNCH = 95;
  static final int SHARED_MEMORY = 97; // bytes that one block may opt in to

  private static final String OCCUPANCY = "cuOccupancyMaxActiveBlocksPerMultiprocessor";
  private static final int MAX_DYNAMIC_SHARED_SIZE = 8; // CUfunction_attribute
  private static final int MAPPED = 2; // CU_MEMHOSTALLOC_DEVICEMAP

  private final NativeLibrary library;
  private final int device;
  private final Pointer context; // the one that PyTorch computes in

  /** Opens the driver for a GPU, whose number is that of DJL and PyTorch. */
  CudaDriver(int ordinal) {
    library = NativeLibrary.getInstance(Platform.isWindows() ? "nvcuda" : "libcuda.so.1");
    call("cuInit", 0);
    IntByReference handle = new IntByReference();
    call("cuDeviceGet", handle, ordinal);
    device = handle.getValue();
    PointerByReference primary = new PointerByReference();
    call("cuDevicePrimaryCtxRetain", primary, device);
    context = primary.getValue();
  }

  /** {@return a device attribute} */
  int attribute(int attribute) {
    IntByReference value = new IntByReference();
    call("cuDeviceGetAttribute", value, attribute, device);
    return value.getValue();
  }

  /** {@return the version of CUDA that the driver supports, such as 12080} */
  int version() {
    IntByReference value = new IntByReference();
    call("cuDriverGetVersion", value);
    return value.getValue();
  }

  /** Loads a function of a compiled module, which stays loaded. Throws if a block does not fit. */
  Pointer load(byte[] cubin, String function, int threads, int sharedBytes) {
    Memory code = new Memory(cubin.length);
    code.write(0, cubin, 0, cubin.length);
    PointerByReference module = new PointerByReference();
    inContext("cuModuleLoadData", module, code);
    PointerByReference found = new PointerByReference();
    inContext("cuModuleGetFunction", found, module.getValue(), function);
    Pointer loaded = found.getValue();
    inContext("cuFuncSetAttribute", loaded, MAX_DYNAMIC_SHARED_SIZE, sharedBytes);
    IntByReference blocks = new IntByReference();
    inContext(OCCUPANCY, blocks, loaded, threads, (long) sharedBytes);
    if (blocks.getValue() == 0) {
      throw new CudaException(OCCUPANCY, "no block of " + function + " fits");
    }
    return loaded;
  }

  /**
   * Launches a function on DJL's stream. {@code together} needs all blocks to be resident at once.
   */
  void launch(
      Pointer function,
      int blocks,
      int threads,
      int sharedBytes,
      boolean together,
      Pointer arguments) {
    List<Object> parameters =
        Lists.newArrayList(function, blocks, 1, 1, threads, 1, 1, sharedBytes, null, arguments);
    if (!together) {
      parameters.add(null); // no other form of the arguments
    }
    String name = together ? "cuLaunchCooperativeKernel" : "cuLaunchKernel";
    inContext(name, parameters.toArray());
  }

  /** Waits until all launches have ended. */
  void synchronize() {
    inContext("cuStreamSynchronize", (Object) null);
  }

  /** Returns memory of the host that the GPU reads and writes at the same address. */
  Pointer hostMemory(long bytes) {
    PointerByReference memory = new PointerByReference();
    inContext("cuMemHostAlloc", memory, bytes, MAPPED);
    return memory.getValue();
  }

  void freeHostMemory(Pointer memory) {
    inContext("cuMemFreeHost", memory);
  }

  /** Calls a function in PyTorch's context for this GPU, whatever context the thread has. */
  private void inContext(String function, Object... arguments) {
    call("cuCtxPushCurrent_v2", context);
    try {
      call(function, arguments);
    } finally {
      call("cuCtxPopCurrent_v2", new PointerByReference());
    }
  }

  private void call(String function, Object... arguments) {
    int error = library.getFunction(function).invokeInt(arguments);
    if (error != 0) {
      PointerByReference name = new PointerByReference();
      boolean named =
          library.getFunction("cuGetErrorName").invokeInt(new Object[] {error, name}) == 0;
      throw new CudaException(function, named ? name.getValue().getString(0) : "error " + error);
    }
  }
}
