package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

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

class OverparamTest {

  private static NDList inputs(NDManager manager, DataType dataType) {
    return new NDList(TestModels.activations(manager, new Random(1), dataType, 2, 3, 16));
  }

  @Test
  void computes_what_the_naive_loops_do() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray x = inputs(manager, DataType.FLOAT32).head();
      Overparam overparam =
          TestModels.initialized(Overparam.of(16), manager, DataType.FLOAT32, 2, x.getShape());
      NDArray y =
          overparam.forward(new ParameterStore(manager, false), new NDList(x), false).head();
      double[][][] expected =
          Arrays.stream(NaiveSharnn.streams(x))
              .map(
                  stream ->
                      Arrays.stream(stream)
                          .map(vector -> NaiveSharnn.overparam(overparam, vector))
                          .toArray(double[][]::new))
              .toArray(double[][][]::new);
      BlockChecks.assertThatStreams(y, expected, 1e-5);
    }
  }

  @Test
  void rejects_a_size_of_0() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Overparam.of(0))
        .withMessage("size must be at least 1, but is 0");
  }

  @Test
  void works_alone_in_a_sequential_block() {
    BlockChecks.assertThatShapesAgree(Overparam.of(16), m -> inputs(m, DataType.FLOAT32));
  }

  @Test
  void trains_alone() {
    BlockChecks.assertThatTrains(
        Overparam.of(16),
        Loss.l2Loss(),
        m -> inputs(m, DataType.FLOAT32),
        m -> TestModels.activations(m, new Random(3), DataType.FLOAT32, 2, 3, 16));
  }

  @Test
  void has_the_gradients_of_finite_differences() {
    BlockChecks.assertThatGradientsMatchFiniteDifferences(
        Overparam.of(16), m -> inputs(m, DataType.FLOAT64));
  }

  @Test
  void rejects_inputs_of_another_size() {
    try (NDManager manager = NDManager.newBaseManager()) {
      for (Shape shape : new Shape[] {new Shape(2, 17), new Shape()}) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> Overparam.of(16).initialize(manager, DataType.FLOAT32, shape))
            .withMessageContaining("last axis is its size 16, but was given [" + shape + "]");
      }
    }
  }
}
