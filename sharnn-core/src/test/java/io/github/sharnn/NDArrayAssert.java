package io.github.sharnn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.assertj.core.api.AbstractAssert;

/** Assertions on arrays that report what differs and by how much. */
public final class NDArrayAssert extends AbstractAssert<NDArrayAssert, NDArray> {

  private NDArrayAssert(NDArray actual) {
    super(actual, NDArrayAssert.class);
  }

  public static NDArrayAssert assertThat(NDArray actual) {
    return new NDArrayAssert(actual);
  }

  public NDArrayAssert hasShape(long... dimensions) {
    Shape expected = new Shape(dimensions);
    if (!actual.getShape().equals(expected)) {
      failWithMessage("expected shape %s but was %s", expected, actual.getShape());
    }
    return this;
  }

  /** Checks {@code ||actual - expected|| / ||expected|| <= tolerance} in double precision. */
  public NDArrayAssert isCloseTo(NDArray expected, double tolerance) {
    if (!actual.getShape().equals(expected.getShape())) {
      failWithMessage("expected shape %s but was %s", expected.getShape(), actual.getShape());
    }
    double[] a = doubles(actual);
    double[] e = doubles(expected);
    double difference = 0;
    double norm = 0;
    int worst = 0;
    for (int i = 0; i < a.length; i++) {
      if (Math.abs(a[i] - e[i]) > Math.abs(a[worst] - e[worst])) {
        worst = i;
      }
      difference += (a[i] - e[i]) * (a[i] - e[i]);
      norm += e[i] * e[i];
    }
    double error = Math.sqrt(difference) / Math.sqrt(norm == 0 ? 1 : norm);
    if (!(error <= tolerance)) {
      failWithMessage(
          "relative error %.3g exceeds %.3g; worst at flat index %d: expected %s but was %s",
          error, tolerance, worst, e[worst], a[worst]);
    }
    return this;
  }

  /** Checks equality of every value, bit for bit. */
  public NDArrayAssert isExactly(NDArray expected) {
    if (!actual.getShape().equals(expected.getShape())) {
      failWithMessage("expected shape %s but was %s", expected.getShape(), actual.getShape());
    }
    double[] a = doubles(actual);
    double[] e = doubles(expected);
    for (int i = 0; i < a.length; i++) {
      if (Double.compare(a[i], e[i]) != 0) {
        failWithMessage("at flat index %d expected %s but was %s", i, e[i], a[i]);
      }
    }
    return this;
  }

  private static double[] doubles(NDArray array) {
    try (NDArray converted = array.toType(DataType.FLOAT64, true)) {
      return converted.toDoubleArray();
    }
  }
}
