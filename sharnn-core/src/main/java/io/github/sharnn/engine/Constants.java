package io.github.sharnn.engine;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/** Constants in a gradient graph. */
public final class Constants {

  private Constants() {}

  /**
   * Creates a constant for {@code array.mul(constant)}. DJL's {@code mul(Number)} must not be used
   * where a gradient flows: on a CPU its number lives in a direct buffer that nothing holds on to.
   * After a garbage collection between forward and backward, the gradient is multiplied by whatever
   * has taken that buffer's place.
   *
   * <p>It lies in the host's memory also beside a GPU, whose kernels take such a number as an
   * argument.
   *
   * @param value the constant
   * @param operand whose manager the constant gets
   * @return a FLOAT32 array without dimensions, which leaves an operand's type as it is
   */
  public static NDArray of(float value, NDArray operand) {
    return operand.getManager().full(new Shape(), value, DataType.FLOAT32, Device.cpu());
  }
}
