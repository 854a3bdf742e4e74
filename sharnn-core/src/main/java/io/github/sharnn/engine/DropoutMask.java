package io.github.sharnn.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.norm.Dropout;

/**
 * Dropout like {@link Dropout#dropout(NDArray, float, boolean)}, with cheaper masks on a CPU.
 *
 * <p>PyTorch draws Bernoulli masks on one CPU thread, two random numbers for each element, which
 * takes a sixth of a training step. Here one 64-bit draw decides four elements, one for each 16-bit
 * field. A multiplication shifts the field to the top, and the whole number is compared with a
 * threshold. The bits below the field only break ties. The rate is exact to 1/65536. A GPU uses
 * DJL's dropout, which is one kernel there.
 */
public final class DropoutMask {

  private static final int FIELD_BITS = 16;
  private static final int FIELDS = Long.SIZE / FIELD_BITS;

  private DropoutMask() {}

  /**
   * Zeroes elements with probability {@code rate} and scales the others by 1 / (1 - rate).
   *
   * @param x an array of any shape and a floating type
   * @param rate the probability, in [0, 1)
   * @param training false for no dropout
   * @return the result, of x's manager, shape and type; x itself if there is no dropout
   */
  public static NDArray apply(NDArray x, float rate, boolean training) {
    if (!training || rate == 0) {
      return x;
    }
    if (x.getDevice().isGpu()) {
      return Dropout.dropout(x, rate, true).singletonOrThrow();
    }
    try (NDManager scratch = x.getManager().newSubManager()) {
      return x.mul(mask(scratch, x.getShape(), x.getDataType(), rate));
    }
  }

  /** Draws a mask: 0 with probability {@code rate}, else 1 / (1 - rate). */
  private static NDArray mask(NDManager manager, Shape shape, DataType dataType, float rate) {
    long draws = (shape.size() + FIELDS - 1) / FIELDS;
    NDArray bits =
        manager.randomInteger(
            Long.MIN_VALUE, Long.MAX_VALUE, new Shape(draws), DataType.INT64); // (N/4)
    long threshold = (long) ((rate - 0.5) * 0x1p64); // signed: rate 0.5 has threshold 0
    NDList kept = new NDList();
    for (int field = 0; field < FIELDS; field++) {
      kept.add(bits.mul(1L << field * FIELD_BITS).gte(threshold));
    }
    NDArray mask = NDArrays.concat(kept); // 4 x (N/4) -> (N)
    if (mask.size() > shape.size()) {
      mask = mask.get("0:{}", shape.size());
    }
    return mask.reshape(shape).toType(dataType, false).muli(1 / (1 - rate));
  }
}
