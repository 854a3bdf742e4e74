package io.github.sharnn.engine;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/** Constants in a gradient graph. */
public final class Constants {

  private Constants() {}

  /**
   * Creates a constant for {@code array.mul(constant)}. Do not use DJL's {@code mul(Number)} where
   * a gradient flows: on a CPU its number lives in a direct buffer that nothing references. If the
   * garbage collector runs between forward and backward, the gradient is multiplied by garbage.
   *
   * <p>The constant is in host memory even if the operand is on a GPU. The GPU's kernels take it as
   * an argument.
   *
   * @param value the constant
   * @param operand the array whose manager owns the constant
   * @return a FLOAT32 scalar, which does not change the type of an operand
   */
  public static NDArray of(float value, NDArray operand) {
    return operand.getManager().full(new Shape(), value, DataType.FLOAT32, Device.cpu());
  }
}
