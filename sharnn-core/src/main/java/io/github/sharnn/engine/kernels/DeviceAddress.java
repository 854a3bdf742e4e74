package io.github.sharnn.engine.kernels;

import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.pytorch.engine.PtNDArray;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;

/**
 * Addresses of arrays in a GPU's memory. DJL has no public method for them; its native method for
 * direct buffers, which does not look at the device, is called by reflection.
 */
final class DeviceAddress {

  private static final Object LIBRARY;
  private static final Method DIRECT_BUFFER;

  static {
    try {
      Class<?> type = Class.forName("ai.djl.pytorch.jni.PyTorchLibrary");
      Field instance = type.getDeclaredField("LIB");
      instance.setAccessible(true);
      LIBRARY = instance.get(null);
      DIRECT_BUFFER = type.getDeclaredMethod("torchDirectByteBuffer", long.class);
      DIRECT_BUFFER.setAccessible(true);
    } catch (ReflectiveOperationException | RuntimeException e) {
      throw new CudaException("this version of DJL does not tell an array's address", e);
    }
  }

  private DeviceAddress() {}

  /** Finds DJL's method, or throws an ExceptionInInitializerError. */
  static void check() {
    checkNotNull(DIRECT_BUFFER);
  }

  /**
   * Returns the address of a contiguous array's first element; the caller keeps the array alive.
   */
  static long of(NDArray array) {
    long bytes = array.size() * array.getDataType().getNumOfBytes();
    if (bytes <= Integer.MAX_VALUE) {
      return address(array);
    }
    try (NDArray flat = array.reshape(-1);
        NDArray first = flat.get(new NDIndex("0:1"))) { // DJL rejects buffers of 2 GiB
      return address(first);
    }
  }

  private static long address(NDArray array) {
    try {
      ByteBuffer buffer =
          (ByteBuffer) DIRECT_BUFFER.invoke(LIBRARY, ((PtNDArray) array).getHandle());
      return Pointer.nativeValue(Native.getDirectBufferPointer(buffer));
    } catch (ReflectiveOperationException e) {
      throw new CudaException("an array of " + array.getShape() + " has no address", e);
    }
  }
}
