package io.github.sharnn.engine;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;

/**
 * A matrix in 8 bits a number: row r is {@code scales[r] * values[r]}.
 *
 * <p>A scale has at most 17 significant bits, so that its product with a value is exact in FLOAT32.
 * Quantizing a dequantized matrix therefore gives the same values and scales.
 *
 * @param values INT8 {@code (rows, columns)}, each in [-127, 127]
 * @param scales FLOAT32 {@code (rows)}, each above 0
 */
public record Int8Matrix(NDArray values, NDArray scales) implements AutoCloseable {

  /** The largest value. */
  public static final int LARGEST = 127;

  private static final int SPARE_BITS = 0x7f; // of a scale; the product needs them for the value

  /**
   * Rounds a matrix. A row's largest number becomes 127 or -127, and each number moves by at most
   * half a scale.
   *
   * @param matrix FLOAT32 {@code (rows, columns)} of finite numbers
   * @param manager the manager that owns the result
   * @return the rounded matrix
   * @throws IllegalArgumentException if the matrix has another type, or a number is not finite
   */
  public static Int8Matrix of(NDArray matrix, NDManager manager) {
    try (NDManager scratch = manager.newSubManager()) {
      NDArray alias = matrix.stopGradient();
      alias.attach(scratch);
      float[] scales = largest("a matrix", alias);
      for (int row = 0; row < scales.length; row++) {
        scales[row] = scale(scales[row]);
      }
      NDArray rowScales = scratch.create(scales);
      NDArray values =
          alias.div(rowScales.expandDims(1)).round().toType(DataType.INT8, false); // exact at 127
      new NDList(values, rowScales).attach(manager);
      return new Int8Matrix(values, rowScales);
    }
  }

  /**
   * Checks that a matrix can be rounded, and leaves it as it is.
   *
   * @param name the name for the exception's message
   * @param matrix {@code (rows, columns)}
   * @throws IllegalArgumentException if the matrix is not of FLOAT32, or a number is not finite
   */
  public static void check(String name, NDArray matrix) {
    try (NDManager scratch = matrix.getManager().newSubManager()) {
      NDArray alias = matrix.stopGradient();
      alias.attach(scratch);
      largest(name, alias);
    }
  }

  /** Returns the largest absolute number of each row. */
  private static float[] largest(String name, NDArray matrix) {
    checkArgument(
        matrix.getDataType() == DataType.FLOAT32,
        "only FLOAT32 weights can be quantized, but %s is of %s: read the file into a new model with"
            + " SafetensorsWeights.read, which converts to FLOAT32",
        name,
        matrix.getDataType());
    float[] largest = matrix.abs().max(new int[] {1}).toFloatArray();
    for (int row = 0; row < largest.length; row++) {
      checkArgument(
          Float.isFinite(largest[row]),
          "only finite weights can be quantized, but row %s of %s has another: repair the model",
          row,
          name);
    }
    return largest;
  }

  /** Returns the smallest scale of 17 bits that maps a row's largest number to at most 127. */
  private static float scale(float largest) {
    float scale = largest / LARGEST;
    if (scale < Float.MIN_NORMAL) {
      return 1; // of a row that is 0, or as good as
    }
    return Float.intBitsToFloat((Float.floatToIntBits(scale) + SPARE_BITS) & ~SPARE_BITS);
  }

  /** {@return the matrix in FLOAT32, of the manager of {@code values}} */
  public NDArray dequantized() {
    try (NDArray wide = values.toType(DataType.FLOAT32, false);
        NDArray column = scales.expandDims(1)) {
      return wide.mul(column);
    }
  }

  @Override
  public void close() {
    values.close();
    scales.close();
  }
}
