package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.github.sharnn.engine.WeightDrop;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WeightDropTest {

  private final NDManager manager = NDManager.newBaseManager();
  private final ParameterStore parameterStore = new ParameterStore(manager, false);
  private LSTM lstm;

  @BeforeEach
  void initialize() {
    lstm =
        TestModels.initialized(
                SHABlock.of(TestModels.tiny().config(), 0),
                manager,
                DataType.FLOAT32,
                1,
                new Shape(2, 3, 16))
            .lstm;
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void drops_entries_of_the_hidden_to_hidden_matrix_alone() {
    ParameterStore dropping = WeightDrop.of(parameterStore, lstm, 0.5f, true, manager);
    for (var pair : lstm.getDirectParameters()) {
      NDArray value = pair.getValue().getArray();
      NDArray seen = dropping.getValue(pair.getValue(), Device.cpu(), true);
      if (!pair.getKey().equals("l_0_h2h_WEIGHT")) {
        assertThat(seen).isSameAs(value);
        continue;
      }
      float[] all = value.toFloatArray();
      float[] dropped = seen.toFloatArray();
      int zeros = 0;
      for (int i = 0; i < all.length; i++) {
        zeros += dropped[i] == 0 ? 1 : 0;
        assertThat(dropped[i] == 0 ? 2 * all[i] : dropped[i]).isEqualTo(2 * all[i]);
      }
      // 1024 coins; six standard deviations either way
      assertThat(zeros).isBetween(all.length / 2 - 96, all.length / 2 + 96);
    }
  }

  @Test
  void draws_anew_for_each_segment() {
    Parameter weight = lstm.getDirectParameters().get("l_0_h2h_WEIGHT");
    ParameterStore dropping = WeightDrop.of(parameterStore, lstm, 0.5f, true, manager);
    NDArray first = dropping.getValue(weight, Device.cpu(), true);
    NDArray second = dropping.getValue(weight, Device.cpu(), true);
    assertThat(first.contentEquals(second)).isFalse();
  }

  @Test
  void leaves_the_store_alone_at_rate_zero_and_outside_training() {
    assertThat(WeightDrop.of(parameterStore, lstm, 0, true, manager)).isSameAs(parameterStore);
    assertThat(WeightDrop.of(parameterStore, lstm, 0.5f, false, manager)).isSameAs(parameterStore);
  }

  @Test
  void changes_a_models_output_only_in_training() {
    SHARNN model = TestModels.initialized(TestModels.tiny().weightDrop(0.5f), manager, 1);
    NDList tokens = new NDList(TestModels.tokens(manager, new Random(1), 2, 5));
    NDArray first = model.forward(parameterStore, tokens, false).head();
    NDArray second = model.forward(parameterStore, tokens, false).head();
    NDArray trained = model.forward(parameterStore, tokens, true).head();
    NDArrayAssert.assertThat(second).isExactly(first);
    assertThat(trained.contentEquals(first)).isFalse();
    // position 0 starts from a zero state, which no hidden-to-hidden matrix changes
    NDArrayAssert.assertThat(trained.get(":, 0:1")).isCloseTo(first.get(":, 0:1"), 1e-6);
  }

  @Test
  void lets_gradients_reach_the_entries_that_it_kept() {
    SHARNN model = TestModels.initialized(TestModels.tiny().weightDrop(0.5f), manager, 1);
    NDList tokens = new NDList(TestModels.tokens(manager, new Random(1), 2, 5));
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      collector.backward(model.forward(parameterStore, tokens, true).head().square().sum());
    }
    for (SHABlock block : model.blocks) {
      NDArray gradient =
          block.lstm.getDirectParameters().get("l_0_h2h_WEIGHT").getArray().getGradient();
      long reached = gradient.neq(0).sum().getLong();
      assertThat(reached).isBetween(gradient.size() / 2 - 96, gradient.size() / 2 + 96);
    }
  }

  @Test
  void keeps_no_array_once_the_batch_is_closed() {
    SHARNN model =
        TestModels.initialized(TestModels.tiny().weightDrop(0.5f).dropouts(0.1f), manager, 1);
    int before = 0;
    for (int step = 0; step < 5; step++) {
      try (NDManager batch = manager.newSubManager()) {
        NDList tokens = new NDList(TestModels.tokens(batch, new Random(step), 2, 5));
        model.forward(parameterStore, tokens, true);
      }
      before = step == 0 ? manager.getManagedArrays().size() : before;
      assertThat(manager.getManagedArrays()).hasSize(before);
    }
  }
}
