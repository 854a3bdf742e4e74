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
   * a gradient flows: on a CPU its number lives in a direct buffer that nothing references. After a
   * garbage collection between forward and backward, the gradient is multiplied by other data.
   *
   * <p>The constant lies in the host's memory even with a GPU, whose kernels take it as an
   * argument.
   *
   * @param value the constant
   * @param operand the array whose manager owns the constant
   * @return a FLOAT32 array without dimensions, which does not change an operand's type
   */
  public static NDArray of(float value, NDArray operand) {
    return operand.getManager().full(new Shape(), value, DataType.FLOAT32, Device.cpu());
  }
}
