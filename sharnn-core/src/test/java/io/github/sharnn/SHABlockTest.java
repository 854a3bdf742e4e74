package io.github.sharnn;

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

class SHABlockTest {

  private static final int SIZE = TestModels.SIZE;
  private static final SHARNNConfig CONFIG =
      TestModels.tiny().layers(2).attentionLayers(0).memoryLength(8).config();

  private static SHABlock block(boolean attention) {
    return SHABlock.of(CONFIG, attention ? 0 : 1);
  }

  /** Activations alone, or with a state whose memory holds {@code remembered} positions. */
  private static NDList inputs(
      NDManager manager, DataType dataType, boolean attention, int remembered) {
    Random random = new Random(1);
    NDList inputs = new NDList(TestModels.activations(manager, random, dataType, 3, 5, SIZE));
    if (remembered >= 0) {
      inputs.add(TestModels.activations(manager, random, dataType, 3, SIZE));
      inputs.add(TestModels.activations(manager, random, dataType, 3, SIZE));
      if (attention) {
        inputs.add(TestModels.activations(manager, random, dataType, 3, remembered, SIZE));
      }
    }
    return inputs;
  }

  @ParameterizedTest
  @CsvSource({"false, -1", "false, 0", "true, -1", "true, 0", "true, 2", "true, 7"})
  void computes_what_the_naive_loops_do(boolean attention, int remembered) {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList inputs = inputs(manager, DataType.FLOAT32, attention, remembered);
      SHABlock block =
          TestModels.initialized(
              block(attention), manager, DataType.FLOAT32, 2, inputs.getShapes());
      NDList outputs = block.forward(new ParameterStore(manager, false), new NDList(inputs), false);
      double[][][] x = NaiveSharnn.streams(inputs.head());
      double[][][] h = new double[x.length][][];
      double[][][] memory = new double[x.length][][];
      for (int b = 0; b < x.length; b++) {
        NaiveSharnn.Output expected =
            NaiveSharnn.block(block, CONFIG.memoryLength(), x[b], stateOf(inputs, b));
        h[b] = expected.h();
        memory[b] = expected.state().memory();
        if (remembered >= 0) {
          BlockChecks.assertThatStreams(
              outputs.get(1).get("{}:{}", b, b + 1).expandDims(0),
              new double[][][] {{expected.state().hidden()}},
              1e-5);
          BlockChecks.assertThatStreams(
              outputs.get(2).get("{}:{}", b, b + 1).expandDims(0),
              new double[][][] {{expected.state().cell()}},
              1e-5);
        }
      }
      BlockChecks.assertThatStreams(outputs.head(), h, 1e-5);
      if (outputs.size() == 4) {
        BlockChecks.assertThatStreams(outputs.get(3), memory, 1e-5);
      }
    }
  }

  private static NaiveSharnn.State stateOf(NDList inputs, int stream) {
    if (inputs.size() == 1) {
      return NaiveSharnn.State.zero(SIZE);
    }
    return new NaiveSharnn.State(
        NaiveSharnn.values(inputs.get(1).get(stream)),
        NaiveSharnn.values(inputs.get(2).get(stream)),
        inputs.size() == 3 || inputs.get(3).size(1) == 0
            ? new double[0][]
            : NaiveSharnn.streams(inputs.get(3))[stream]);
  }

  @ParameterizedTest
  @CsvSource({"false, -1", "false, 0", "true, -1", "true, 0", "true, 2", "true, 7"})
  void works_alone_in_a_sequential_block(boolean attention, int remembered) {
    BlockChecks.assertThatShapesAgree(
        block(attention), m -> inputs(m, DataType.FLOAT32, attention, remembered));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void trains_alone(boolean attention) {
    BlockChecks.assertThatTrains(
        block(attention),
        Loss.l2Loss(),
        m -> inputs(m, DataType.FLOAT32, attention, -1),
        m -> TestModels.activations(m, new Random(3), DataType.FLOAT32, 3, 5, SIZE));
  }

  @ParameterizedTest
  @CsvSource({"false, -1", "true, -1", "true, 2", "true, 7"})
  void has_the_gradients_of_finite_differences(boolean attention, int remembered) {
    BlockChecks.assertThatGradientsMatchFiniteDifferences(
        block(attention), m -> inputs(m, DataType.FLOAT64, attention, remembered));
  }

  @Test
  void norms_cover_the_last_axis_alone() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHABlock block = block(true);
      block.initialize(
          manager, DataType.FLOAT32, inputs(manager, DataType.FLOAT32, true, -1).getShapes());
      NDArray gamma = block.norms.get("lnstart").getDirectParameters().get("gamma").getArray();
      NDArrayAssert.assertThat(gamma).hasShape(SIZE);
    }
  }

  @Test
  void rejects_a_layer_that_the_config_lacks_and_a_state_of_another_size() {
    assertThatThrownBy(() -> SHABlock.of(CONFIG, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("layer must lie between 0 and layers - 1 (1), but is 2");
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList withoutMemory = inputs(manager, DataType.FLOAT32, false, 0);
      SHABlock block = block(true);
      block.initialize(manager, DataType.FLOAT32, withoutMemory.getShapes());
      assertThatThrownBy(
              () -> block.forward(new ParameterStore(manager, false), withoutMemory, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("takes [h] or 4 arrays (h, hidden, cell, memory), but was given 3");
    }
  }

  @Test
  void refuses_a_state_of_another_batch_size() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList inputs = inputs(manager, DataType.FLOAT32, false, 0);
      SHABlock block = block(false);
      block.initialize(manager, DataType.FLOAT32, inputs.getShapes());
      inputs.set(1, inputs.get(1).get("0:1"));
      assertThatThrownBy(() -> block.forward(new ParameterStore(manager, false), inputs, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(
              "hidden and cell must have the shape (batch, embeddingSize) = (3, 16)")
          .hasMessageContaining("have (1, 16) and (3, 16)");
    }
  }

  @Test
  void refuses_a_memory_of_another_batch_size_or_type() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList inputs = inputs(manager, DataType.FLOAT32, true, 5);
      NDArray memory = inputs.get(3);
      SHABlock block = block(true);
      block.initialize(manager, DataType.FLOAT32, inputs.getShapes());
      ParameterStore parameterStore = new ParameterStore(manager, false);
      // an empty one of another batch size was taken without a word
      for (NDArray other : new NDArray[] {memory.get("0:1"), memory.get("0:1, 0:0")}) {
        inputs.set(3, other);
        assertThatThrownBy(() -> block.forward(parameterStore, inputs, false))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("memory must have the shape (batch, positions, embeddingSize)")
            .hasMessageContaining("(3, .., 16), but has " + other.getShape());
      }
      inputs.set(3, memory.toType(DataType.FLOAT64, false));
      assertThatThrownBy(() -> block.forward(parameterStore, inputs, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("activations' type float32")
          .hasMessageContaining("memory of float64");
    }
  }

  @Test
  void refuses_activations_of_another_shape() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList inputs = inputs(manager, DataType.FLOAT32, false, 0);
      SHABlock block = block(false);
      block.initialize(manager, DataType.FLOAT32, inputs.getShapes());
      NDList matrix = new NDList(inputs.get(1));
      assertThatThrownBy(() -> block.forward(new ParameterStore(manager, false), matrix, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("SHABlock takes activations of shape (batch, time, 16)")
          .hasMessageContaining("but was given (3, 16)");
    }
  }
}
