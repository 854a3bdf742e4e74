package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Adam;
import ai.djl.training.tracker.Tracker;
import java.util.Random;
import java.util.function.Function;
import org.assertj.core.data.Offset;

/** The checks that DJL's contract asks of every block. */
final class BlockChecks {

  private static final double STEP = 1e-5;

  private BlockChecks() {}

  /** Alone in a sequential block: the shapes it promises are the shapes that it returns. */
  static void assertThatShapesAgree(Block block, Function<NDManager, NDList> inputs) {
    try (NDManager manager = NDManager.newBaseManager()) {
      SequentialBlock alone = new SequentialBlock().add(block);
      NDList given = inputs.apply(manager);
      int count = given.size();
      alone.initialize(manager, DataType.FLOAT32, given.getShapes());
      NDList outputs = alone.forward(new ParameterStore(manager, false), given, false);
      assertThat(outputs.getShapes()).isEqualTo(alone.getOutputShapes(given.getShapes()));
      assertThat(given).as("the caller's list").hasSize(count);
    }
  }

  /** Alone in a model of its own, with DJL's trainer, loss and Adam: the loss falls. */
  static void assertThatTrains(
      Block block,
      Loss loss,
      Function<NDManager, NDList> inputs,
      Function<NDManager, NDArray> labels) {
    try (Model model = Model.newInstance("alone", "PyTorch")) {
      model.setBlock(new SequentialBlock().add(block));
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(loss)
              .optOptimizer(Adam.builder().optLearningRateTracker(Tracker.fixed(0.02f)).build());
      try (Trainer trainer = model.newTrainer(config)) {
        NDManager manager = trainer.getManager();
        NDList data = inputs.apply(manager);
        NDList target = new NDList(labels.apply(manager));
        trainer.initialize(data.getShapes());
        float first = 0;
        float last = 0;
        for (int step = 0; step < 20; step++) {
          NDArray value;
          try (GradientCollector collector = trainer.newGradientCollector()) {
            value = loss.evaluate(target, trainer.forward(new NDList(data)));
            collector.backward(value);
          }
          trainer.step();
          last = value.getFloat();
          first = step == 0 ? last : first;
        }
        assertThat(last).isLessThan(0.9f * first);
      }
    }
  }

  /** Gradients of a weighted sum of the first output, in double precision, a few per parameter. */
  static void assertThatGradientsMatchFiniteDifferences(
      Block block, Function<NDManager, NDList> inputs) {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList given = inputs.apply(manager);
      TestModels.initialized(block, manager, DataType.FLOAT64, 5, given.getShapes());
      Random random = new Random(7);
      Shape shape = block.getOutputShapes(given.getShapes())[0];
      NDArray weights = TestModels.activations(manager, random, DataType.FLOAT64, shape.getShape());
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        collector.backward(weightedSum(block, manager, given, weights, true));
      }
      for (var pair : block.getParameters()) {
        Parameter parameter = pair.getValue();
        double[] gradient = NaiveSharnn.values(parameter.getArray().getGradient());
        double[] values = NaiveSharnn.values(parameter);
        for (int draw = 0; draw < 3; draw++) {
          int i = random.nextInt(values.length);
          double up = nudged(block, manager, given, weights, parameter, values, i, STEP);
          double down = nudged(block, manager, given, weights, parameter, values, i, -STEP);
          TestModels.assign(parameter, values);
          double expected = (up - down) / (2 * STEP);
          assertThat(gradient[i])
              .as("gradient of %s at %s", pair.getKey(), i)
              .isCloseTo(expected, Offset.offset(1e-6 + 1e-5 * Math.abs(expected)));
        }
      }
    }
  }

  private static double nudged(
      Block block,
      NDManager manager,
      NDList inputs,
      NDArray weights,
      Parameter parameter,
      double[] values,
      int index,
      double by) {
    double[] nudged = values.clone();
    nudged[index] += by;
    TestModels.assign(parameter, nudged);
    return weightedSum(block, manager, inputs, weights, false).getDouble();
  }

  private static NDArray weightedSum(
      Block block, NDManager manager, NDList inputs, NDArray weights, boolean training) {
    NDList outputs =
        block.forward(new ParameterStore(manager, false), new NDList(inputs), training);
    assertThat(outputs.head().getDataType()).isEqualTo(DataType.FLOAT64);
    return outputs.head().mul(weights).sum();
  }

  /** Compares {@code (B, T, C)} with the oracle's streams. */
  static void assertThatStreams(NDArray actual, double[][][] expected, double tolerance) {
    double[][][] streams = NaiveSharnn.streams(actual);
    assertThat(streams).hasDimensions(expected.length, expected[0].length);
    for (int b = 0; b < expected.length; b++) {
      for (int t = 0; t < expected[b].length; t++) {
        assertThat(streams[b][t])
            .as("stream %s, position %s", b, t)
            .containsExactly(expected[b][t], Offset.offset(tolerance));
      }
    }
  }

  static void assertThatStatesAgree(SHARNNState actual, SHARNNState expected, double tolerance) {
    NDList a = actual.toNDList();
    NDList e = expected.toNDList();
    assertThat(a).hasSameSizeAs(e);
    for (int i = 0; i < a.size(); i++) {
      NDArrayAssert.assertThat(a.get(i)).isCloseTo(e.get(i), tolerance);
    }
  }
}
