package io.github.sharnn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/** Constants in a gradient graph. */
final class Scalars {

  private Scalars() {}

  /**
   * Creates a constant for {@code array.mul(constant)}. DJL's {@code mul(Number)} must not be used
   * where a gradient flows: on a CPU its number lives in a direct buffer that nothing holds on to.
   * After a garbage collection between forward and backward, the gradient is multiplied by whatever
   * has taken that buffer's place.
   *
   * @param value the constant
   * @param operand whose manager and type the constant gets
   * @return an array without dimensions
   */
  static NDArray of(float value, NDArray operand) {
    return operand.getManager().full(new Shape(), value, operand.getDataType());
  }
}
