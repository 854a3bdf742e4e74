package io.github.sharnn.train.optim;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.GradientCollector;
import ai.djl.training.tracker.Tracker;
import java.util.List;
import java.util.function.IntToDoubleFunction;

/** The updates of one parameter, and the comparison with expected values. */
final class OptimizerUpdates {

  static final float RATE = 5e-3f;
  private static final int SIZE = 60;

  private OptimizerUpdates() {}

  static Lamb.Builder lamb() {
    return Lamb.builder().optLearningRateTracker(Tracker.fixed(RATE));
  }

  static NDArray parameter(NDManager manager, double[] values, DataType dataType) {
    NDArray weight = manager.create(values).toType(dataType, true);
    weight.setRequiresGradient(true);
    return weight;
  }

  /** Gives the parameter a gradient and updates it as DJL's parameter server does. */
  static void update(FusedOptimizer optimizer, String id, NDArray weight, double[] values) {
    backward(weight, values);
    try (NDArray gradient = weight.getGradient()) {
      optimizer.update(id, weight, gradient);
    }
  }

  /** The loss {@code sum(values * weight)} has exactly these gradients. */
  static void backward(NDArray weight, double[] values) {
    try (NDManager scratch = weight.getManager().newSubManager();
        GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
      NDArray factors =
          scratch.create(values, weight.getShape()).toType(weight.getDataType(), true);
      collector.backward(factors.mul(weight).sum());
    }
  }

  static double[] values(IntToDoubleFunction function) {
    double[] values = new double[SIZE];
    for (int i = 0; i < SIZE; i++) {
      values[i] = function.applyAsDouble(i);
    }
    return values;
  }

  static double[] toDoubles(NDArray array) {
    try (NDArray converted = array.toType(DataType.FLOAT64, true)) {
      return converted.toDoubleArray();
    }
  }

  /** The error relative to how far the parameter moved, which is stricter than to its size. */
  static double movementError(double[] start, double[] actual, double[] expected) {
    double difference = 0;
    double moved = 0;
    for (int i = 0; i < start.length; i++) {
      difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      moved += (expected[i] - start[i]) * (expected[i] - start[i]);
    }
    return moved == 0 ? Math.sqrt(difference) : Math.sqrt(difference / moved);
  }

  /** Gives the parameter a gradient and updates it as {@link WeightUpdate} does. */
  static void updateAll(
      FusedOptimizer optimizer,
      NDArray weight,
      double[] values,
      double scale,
      double clipNorm,
      float... measured) {
    backward(weight, values);
    try (NDManager scratch = weight.getManager().newSubManager()) {
      NDList scalars = new NDList();
      for (float one : measured) {
        scalars.add(scratch.create(one));
      }
      NDArray alias = weight.stopGradient();
      NDArray gradient = weight.getGradient();
      alias.attach(scratch);
      gradient.attach(scratch);
      optimizer.updateAll(
          List.of("p"), new NDList(alias), new NDList(gradient), scale, scalars, clipNorm);
    }
  }
}
