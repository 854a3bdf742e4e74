package io.github.sharnn.softmax;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import ai.djl.training.GradientCollector;
import io.github.sharnn.NDArrayAssert;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Logits in FLOAT16, whose columns are filled up, against those in FLOAT32. */
class OutputLayerTest {

  private static final int N = 64;
  private static final int C = 6;
  private static final double EPSILON = Math.pow(2, -11); // FLOAT16, half a unit in the last place

  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** Hidden vectors, vectors and bias of tokens, of values that FLOAT16 has. */
  private List<NDArray> operands(NDManager hidden, int tokens, DataType type) {
    Random random = new Random(tokens);
    return Stream.of(new Shape(N, C), new Shape(tokens, C), new Shape(tokens))
        .map(
            shape -> {
              double[] values = random.doubles(shape.size(), -1, 1).toArray();
              NDManager owner = shape.get(0) == N && shape.dimension() == 2 ? hidden : manager;
              NDArray drawn = owner.create(values, shape);
              return drawn.toType(DataType.FLOAT16, false).toType(type, false);
            })
        .toList();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 8, 9, 12, 15, 16, 17})
  void have_the_values_and_gradients_of_a_plain_product(int tokens) {
    List<NDArray> actual = withGradients(tokens, DataType.FLOAT16);
    List<NDArray> expected = withGradients(tokens, DataType.FLOAT32);
    assertThat(actual.get(0).getShape()).isEqualTo(new Shape(N, tokens));
    for (int i = 0; i < actual.size(); i++) {
      assertThat(actual.get(i).getDataType()).isEqualTo(DataType.FLOAT16);
      NDArrayAssert.assertThat(actual.get(i).toType(DataType.FLOAT32, false))
          .isCloseTo(expected.get(i), 2 * EPSILON);
    }
  }

  /** The logits, and the gradients of what came in, of a sum whose weights differ by column. */
  private List<NDArray> withGradients(int tokens, DataType type) {
    List<NDArray> operands = operands(manager, tokens, type);
    operands.forEach(operand -> operand.setRequiresGradient(true));
    NDArray weights = manager.arange(1, tokens + 1).toType(type, false).div(tokens);
    List<NDArray> results = new ArrayList<>();
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      NDArray logits = OutputLayer.logits(operands.get(0), operands.get(1), operands.get(2));
      results.add(logits.stopGradient());
      collector.backward(logits.mul(weights).sum());
    }
    operands.forEach(operand -> results.add(operand.getGradient()));
    return results;
  }

  @Test
  void leave_nothing_with_the_weights() {
    try (NDManager segment = manager.newSubManager()) {
      List<NDArray> operands = operands(segment, 9, DataType.FLOAT16);
      long before = owned();
      OutputLayer.logits(operands.get(0), operands.get(1), operands.get(2));
      assertThat(owned()).isEqualTo(before);
    }
  }

  /** Arrays of the weights' own manager, which lists those of managers below it too. */
  private long owned() {
    return manager.getManagedArrays().stream()
        .filter(array -> array.getManager() == manager)
        .count();
  }

  @ParameterizedTest
  @CsvSource({"63, false", "64, true"})
  void take_a_copy_of_the_vectors_for_many_rows_alone(int rows, boolean copied) {
    List<NDArray> operands = operands(manager, 9, DataType.FLOAT16);
    NDArray h = operands.get(0).get("0:{}", rows);
    OutputLayer.logits(h, operands.get(1), operands.get(2));
    List<Shape> shapes = manager.getManagedArrays().stream().map(NDArray::getShape).toList();
    assertThat(shapes.contains(new Shape(16, C))).isEqualTo(copied);
  }

  @Test
  void are_the_plain_product_itself_where_nothing_is_to_be_filled_up() {
    for (DataType type : List.of(DataType.FLOAT16, DataType.FLOAT32)) {
      int tokens = type == DataType.FLOAT16 ? 16 : 17;
      List<NDArray> operands = operands(manager, tokens, type);
      NDArrayAssert.assertThat(
              OutputLayer.logits(operands.get(0), operands.get(1), operands.get(2)))
          .isExactly(
              Linear.linear(operands.get(0), operands.get(1), operands.get(2)).singletonOrThrow());
    }
  }
}
