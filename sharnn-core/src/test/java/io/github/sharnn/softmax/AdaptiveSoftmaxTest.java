package io.github.sharnn.softmax;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import io.github.sharnn.NDArrayAssert;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The equations, and that those for labels alone are those for the whole vocabulary. */
class AdaptiveSoftmaxTest {

  private static final int V = 40;
  private static final int C = 5;
  private static final int B = 3;
  private static final int T = 4;

  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** Hidden vectors and weights. */
  private record Operands(
      NDArray h, NDArray weight, NDArray bias, NDArray tailVectors, NDArray tailBias) {

    AdaptiveSoftmax softmax(List<Integer> splits) {
      return new AdaptiveSoftmax(splits, h.getManager(), weight, bias, tailVectors, tailBias);
    }

    List<NDArray> all() {
      return List.of(h, weight, bias, tailVectors, tailBias);
    }
  }

  private Operands operands(int rows, int vocabulary, int size, int tails, DataType type) {
    Random random = new Random(vocabulary);
    return new Operands(
        draw(random, type, rows, size),
        draw(random, type, vocabulary, size),
        draw(random, type, vocabulary),
        draw(random, type, tails, size),
        draw(random, type, tails));
  }

  private NDArray draw(Random random, DataType type, long... shape) {
    Shape dimensions = new Shape(shape);
    double[] values = random.doubles(dimensions.size(), -1, 1).toArray();
    return manager.create(values, dimensions).toType(type, false);
  }

  static Stream<Arguments> splits_and_labels() {
    return Stream.of(
        Arguments.of(List.of(20), new Random(1).longs(B * T, 0, V).toArray()),
        Arguments.of(List.of(10, 25), new Random(2).longs(B * T, 0, V).toArray()),
        Arguments.of(List.of(10, 25), new Random(3).longs(B * T, 0, 10).toArray()),
        Arguments.of(List.of(10, 25), new Random(4).longs(B * T, 10, 25).toArray()),
        Arguments.of(List.of(10, 25), new Random(5).longs(B * T, 25, V).toArray()),
        Arguments.of(List.of(1, 2, 39), new long[] {0, 1, 2, 38, 39, 0, 39, 39, 1, 1, 2, 20}));
  }

  private NDArray labels(long[] values) {
    return manager.create(values, new Shape(B, T));
  }

  @ParameterizedTest
  @MethodSource("splits_and_labels")
  void the_labels_have_the_log_probability_that_the_vocabulary_gives_them(
      List<Integer> splits, long[] values) {
    Operands operands = operands(B * T, V, C, splits.size(), DataType.FLOAT64);
    AdaptiveSoftmax softmax = operands.softmax(splits);
    NDArray labels = labels(values);
    NDArray own =
        softmax.logProbabilities(
            operands.h(), ClusterLabels.from(ClusterLabels.of(labels, values, splits), splits));
    NDArray expected = softmax.logProbabilities(operands.h()).gather(labels.reshape(-1, 1), 1);
    NDArrayAssert.assertThat(own).isCloseTo(expected.flatten(), 1e-14);
    NDArray readBack =
        softmax.logProbabilities(
            operands.h(),
            ClusterLabels.from(new NDList(labels.toType(DataType.INT32, true)), splits));
    NDArrayAssert.assertThat(readBack).isExactly(own);
  }

  @ParameterizedTest
  @MethodSource("splits_and_labels")
  void both_have_the_same_gradients(List<Integer> splits, long[] values) {
    NDArray labels = labels(values);
    List<NDArray> actual =
        gradients(
            splits,
            operands ->
                operands
                    .softmax(splits)
                    .logProbabilities(
                        operands.h(), ClusterLabels.from(new NDList(labels), splits)));
    List<NDArray> expected =
        gradients(
            splits,
            operands ->
                operands
                    .softmax(splits)
                    .logProbabilities(operands.h())
                    .gather(labels.reshape(-1, 1), 1));
    for (int i = 0; i < actual.size(); i++) {
      NDArrayAssert.assertThat(actual.get(i)).isCloseTo(expected.get(i), 1e-12);
    }
  }

  private List<NDArray> gradients(List<Integer> splits, Function<Operands, NDArray> forward) {
    Operands operands = operands(B * T, V, C, splits.size(), DataType.FLOAT64);
    operands.all().forEach(operand -> operand.setRequiresGradient(true));
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      collector.backward(forward.apply(operands).mean());
    }
    List<NDArray> gradients = new ArrayList<>();
    operands.all().forEach(operand -> gradients.add(operand.getGradient()));
    return gradients;
  }

  @Test
  void computes_no_tail_that_no_label_lies_in_and_no_row_whose_label_lies_elsewhere() {
    List<Integer> splits = List.of(10, 25);
    Operands operands = operands(B * T, V, C, 2, DataType.FLOAT32);
    long[] values = {0, 1, 2, 3, 30, 5, 6, 7, 8, 9, 0, 1};
    operands.weight().set(new NDIndex("10:25"), Float.NaN);
    NDArray own =
        operands
            .softmax(splits)
            .logProbabilities(operands.h(), ClusterLabels.from(new NDList(labels(values)), splits));
    for (float value : own.toFloatArray()) {
      assertThat(value).isFinite().isNegative();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16"})
  void the_probabilities_of_a_large_vocabulary_add_up_to_one(DataType type) {
    List<Integer> splits = Splits.of(267_735);
    Operands operands = operands(4, 267_735, 8, splits.size(), type);
    NDArray all = operands.softmax(splits).logProbabilities(operands.h());
    assertThat(all.getDataType()).isEqualTo(DataType.FLOAT32);
    assertThat(all.getShape()).isEqualTo(new Shape(4, 267_735));
    float[] logProbabilities = all.toFloatArray();
    for (int row = 0; row < 4; row++) {
      double sum = 0;
      for (int token = 0; token < 267_735; token++) {
        sum += Math.exp(logProbabilities[row * 267_735 + token]);
      }
      assertThat(sum).isCloseTo(1, within(1e-5));
    }
  }
}
