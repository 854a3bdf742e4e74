package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.djl.training.loss.Loss;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BoomTest {

  private static Boom boom(boolean shortcut) {
    return boom(16, shortcut ? 64 : 40, 0, shortcut);
  }

  private static Boom boom(int size, int boomSize, float dropout, boolean shortcut) {
    return Boom.of(
        SHARNN
            .builder()
            .embeddingSize(size)
            .boomSize(boomSize)
            .hiddenDropout(dropout)
            .boomShortcut(shortcut)
            .config());
  }

  private static NDList inputs(NDManager manager, DataType dataType) {
    return new NDList(TestModels.activations(manager, new Random(1), dataType, 3, 5, 16));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void computes_what_the_naive_loops_do(boolean shortcut) {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray x = inputs(manager, DataType.FLOAT32).head();
      Boom boom =
          TestModels.initialized(boom(shortcut), manager, DataType.FLOAT32, 2, x.getShape());
      NDArray y = boom.forward(new ParameterStore(manager, false), new NDList(x), false).head();
      double[][][] expected =
          Arrays.stream(NaiveSharnn.streams(x))
              .map(stream -> NaiveSharnn.boom(boom, stream))
              .toArray(double[][][]::new);
      BlockChecks.assertThatStreams(y, expected, 1e-5);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void works_alone_in_a_sequential_block(boolean shortcut) {
    BlockChecks.assertThatShapesAgree(boom(shortcut), m -> inputs(m, DataType.FLOAT32));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void trains_alone(boolean shortcut) {
    BlockChecks.assertThatTrains(
        boom(shortcut),
        Loss.l2Loss(),
        m -> inputs(m, DataType.FLOAT32),
        m -> TestModels.activations(m, new Random(3), DataType.FLOAT32, 3, 5, 16));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void has_the_gradients_of_finite_differences(boolean shortcut) {
    BlockChecks.assertThatGradientsMatchFiniteDifferences(
        boom(shortcut), m -> inputs(m, DataType.FLOAT64));
  }

  @Test
  void drops_inner_activations_only_in_training() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray x = inputs(manager, DataType.FLOAT32).head();
      Boom boom =
          TestModels.initialized(
              boom(16, 64, 0.5f, true), manager, DataType.FLOAT32, 2, x.getShape());
      ParameterStore parameterStore = new ParameterStore(manager, false);
      NDArray first = boom.forward(parameterStore, new NDList(x), false).head();
      NDArray second = boom.forward(parameterStore, new NDList(x), false).head();
      NDArray trained = boom.forward(parameterStore, new NDList(x), true).head();
      NDArrayAssert.assertThat(second).isExactly(first);
      assertThat(trained.contentEquals(first)).isFalse();
    }
  }

  @Test
  void rejects_a_boom_size_that_cannot_be_chunked() {
    assertThatThrownBy(() -> boom(16, 40, 0, true))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("boomSize (40) must be a multiple of embeddingSize (16)");
  }

  @Test
  void rejects_sizes_and_rates_outside_their_rules() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> boom(0, 64, 0, true))
        .withMessage("embeddingSize must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> boom(16, 0, 0, false))
        .withMessage("boomSize must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> boom(16, 64, 1, true))
        .withMessage("hiddenDropout must be at least 0 and below 1 (a dropout rate), but is 1.0");
  }

  @Test
  void rejects_inputs_of_another_size() {
    try (NDManager manager = NDManager.newBaseManager()) {
      assertThatThrownBy(
              () -> boom(true).initialize(manager, DataType.FLOAT32, new Shape(3, 5, 17)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(
              "Boom takes activations of shape (batch, time, 16), but was given (3, 5, 17)");
      assertThatThrownBy(() -> boom(true).initialize(manager, DataType.FLOAT32))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("but was given none");
    }
  }

  /** With H a multiple of C * C the chunks of a matrix would be of another shape, not an error. */
  @Test
  void rejects_a_matrix() {
    try (NDManager manager = NDManager.newBaseManager()) {
      Boom boom = boom(4, 16, 0, true);
      boom.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 4));
      NDList matrix = new NDList(manager.ones(new Shape(3, 4)));
      assertThatThrownBy(() -> boom.forward(new ParameterStore(manager, false), matrix, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("but was given (3, 4)");
    }
  }
}
