package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import ai.djl.training.loss.Loss;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SingleHeadAttentionTest {

  private static final int SIZE = TestModels.SIZE;

  /** Five queries alone, or against nine keys and values of which four are older. */
  private static NDList inputs(NDManager manager, DataType dataType, int count) {
    Random random = new Random(1);
    NDList inputs = new NDList(TestModels.activations(manager, random, dataType, 3, 5, SIZE));
    while (inputs.size() < count) {
      inputs.add(TestModels.activations(manager, random, dataType, 3, 9, SIZE));
    }
    return inputs;
  }

  private static SingleHeadAttention attention(
      boolean keyProjection, boolean valueProjection, boolean collapsed) {
    SHARNNConfig config =
        options(0).keyProjection(keyProjection).valueProjection(valueProjection).config();
    return SingleHeadAttention.of(collapsed ? config.withCollapsed() : config);
  }

  private static SHARNNConfig.Builder options(float dropout) {
    return SHARNN.builder().embeddingSize(SIZE).boomSize(SIZE).hiddenDropout(dropout);
  }

  @ParameterizedTest
  @CsvSource({
    "1, false, false, false",
    "3, false, false, false",
    "3, true, false, false",
    "3, false, true, false",
    "1, true, true, true",
    "3, true, true, true"
  })
  void computes_what_the_naive_loops_do(int count, boolean key, boolean value, boolean collapsed) {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList inputs = inputs(manager, DataType.FLOAT32, count);
      SingleHeadAttention attention =
          TestModels.initialized(
              attention(key, value, collapsed), manager, DataType.FLOAT32, 2, inputs.getShapes());
      NDArray y =
          attention.forward(new ParameterStore(manager, false), new NDList(inputs), false).head();
      double[][][] q = NaiveSharnn.streams(inputs.get(0));
      double[][][] k = NaiveSharnn.streams(inputs.get(count == 1 ? 0 : 1));
      double[][][] v = NaiveSharnn.streams(inputs.get(count == 1 ? 0 : 2));
      double[][][] expected = new double[q.length][][];
      for (int b = 0; b < q.length; b++) {
        expected[b] = NaiveSharnn.attention(attention, q[b], k[b], v[b]);
      }
      BlockChecks.assertThatStreams(y, expected, 1e-5);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void works_alone_in_a_sequential_block(int count) {
    BlockChecks.assertThatShapesAgree(
        attention(true, true, false), m -> inputs(m, DataType.FLOAT32, count));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void trains_alone(int count) {
    // values projected, since the output can otherwise only weigh what it is given
    BlockChecks.assertThatTrains(
        attention(false, true, false),
        Loss.l2Loss(),
        m -> inputs(m, DataType.FLOAT32, count),
        m -> TestModels.activations(m, new Random(1), DataType.FLOAT32, 3, 5, SIZE).mul(0.5f));
  }

  @ParameterizedTest
  @CsvSource({"1, false", "3, false", "3, true"})
  void has_the_gradients_of_finite_differences(int count, boolean projected) {
    BlockChecks.assertThatGradientsMatchFiniteDifferences(
        attention(projected, projected, false), m -> inputs(m, DataType.FLOAT64, count));
  }

  @Test
  void drops_only_in_training() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList inputs = inputs(manager, DataType.FLOAT32, 3);
      SingleHeadAttention attention =
          TestModels.initialized(
              SingleHeadAttention.of(options(0.5f).config()),
              manager,
              DataType.FLOAT32,
              2,
              inputs.getShapes());
      ParameterStore parameterStore = new ParameterStore(manager, false);
      NDArray first = attention.forward(parameterStore, inputs, false).head();
      NDArrayAssert.assertThat(attention.forward(parameterStore, inputs, false).head())
          .isExactly(first);
      assertThat(attention.forward(parameterStore, inputs, true).head().contentEquals(first))
          .isFalse();
    }
  }

  @Test
  void rejects_two_inputs_and_fewer_keys_than_queries() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList inputs = inputs(manager, DataType.FLOAT32, 3);
      SingleHeadAttention attention = attention(false, false, false);
      attention.initialize(manager, DataType.FLOAT32, inputs.getShapes());
      ParameterStore parameterStore = new ParameterStore(manager, false);
      assertThatThrownBy(() -> attention.forward(parameterStore, inputs.subNDList(1), false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("takes [x] or [query, key, value], but was given 2 arrays");
      NDList swapped = new NDList(inputs.get(1), inputs.get(0), inputs.get(0));
      assertThatThrownBy(() -> attention.forward(parameterStore, swapped, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("of the queries (3, 9, 16) and at least as many positions")
          .hasMessageContaining("have (3, 5, 16) and (3, 5, 16)");
      NDList unequal = new NDList(inputs.get(0), inputs.get(1), inputs.get(2).get(":, 1:"));
      assertThatThrownBy(() -> attention.forward(parameterStore, unequal, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("have (3, 9, 16) and (3, 8, 16)");
      NDList narrow = new NDList(inputs.get(0).get(":, :, 1:"));
      assertThatThrownBy(() -> attention.forward(parameterStore, narrow, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("activations of shape (batch, time, 16), but was given (3, 5, 15)");
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {-0.1f, 1f, Float.NaN})
  void rejects_rates_that_are_none(float rate) {
    assertThatThrownBy(() -> SingleHeadAttention.of(options(rate).config()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "hiddenDropout must be at least 0 and below 1 (a dropout rate), but is " + rate);
    assertThatThrownBy(() -> SingleHeadAttention.of(options(0).embeddingSize(0).config()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("embeddingSize must be at least 1, but is 0");
  }
}
