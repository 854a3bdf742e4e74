package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.util.NativeResource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SHARNNStateTest {

  private static final SHARNNConfig CONFIG =
      TestModels.tiny().layers(3).attentionLayers(1).config();

  private static SHARNNState afterSegment(SHARNN model, NDManager manager, boolean training) {
    NDArray tokens = TestModels.tokens(manager, new Random(1), 3, 5);
    return model
        .forward(
            new ParameterStore(manager, false),
            tokens,
            TestModels.zeros(model, manager, 3),
            training)
        .state();
  }

  @Test
  void starts_at_zero_with_empty_memories() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNNState state = SHARNNState.zeros(CONFIG, manager, 4, DataType.FLOAT64);
      assertThat(state.batchSize()).isEqualTo(4);
      assertThat(state.toNDList().getShapes())
          .containsExactly(
              new Shape(4, 16),
              new Shape(4, 16),
              new Shape(4, 16),
              new Shape(4, 16),
              new Shape(4, 0, 16),
              new Shape(4, 16),
              new Shape(4, 16));
      assertThat(state.layers().get(0).memory()).isNull();
      for (NDArray array : state.toNDList()) {
        assertThat(array.getDataType()).isEqualTo(DataType.FLOAT64);
        assertThat(array.toDoubleArray()).containsOnly(new double[array.size() > 0 ? 1 : 0]);
      }
    }
  }

  @Test
  void goes_through_a_list_and_back() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
      SHARNNState state = afterSegment(model, manager, false);
      assertThat(SHARNNState.fromNDList(model.config(), state.toNDList())).isEqualTo(state);
    }
  }

  @Test
  void rejects_a_list_of_another_size() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList list = SHARNNState.zeros(CONFIG, manager, 4, DataType.FLOAT32).toNDList();
      list.remove(list.size() - 1);
      assertThatThrownBy(() -> SHARNNState.fromNDList(CONFIG, list))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("has 7 arrays")
          .hasMessageContaining("but 6 were given");
    }
  }

  @Test
  void stops_gradients_once_detached() {
    assertThat(gradientThroughState(false)).isPositive();
    assertThat(gradientThroughState(true)).isZero();
  }

  /** How much a segment's token embeddings hear of the next segment's loss. */
  private static double gradientThroughState(boolean detached) {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model =
          TestModels.initialized(
              TestModels.tiny().tiedOutput(false).build(),
              manager,
              DataType.FLOAT32,
              1,
              new Shape(1, 1));
      // the two segments share no token
      NDArray first = manager.create(new int[] {1, 2, 3, 4}, new Shape(1, 4));
      NDArray second = manager.create(new int[] {5, 6}, new Shape(1, 2));
      ParameterStore parameterStore = new ParameterStore(manager, false);
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        SHARNNState state =
            model.forward(parameterStore, first, TestModels.zeros(model, manager, 1), true).state();
        state = detached ? state.detach() : state;
        NDArray logits = model.forward(parameterStore, second, state, true).logits();
        collector.backward(logits.square().sum());
      }
      return model.embedding.getArray().getGradient().get("1:5").abs().sum().getFloat();
    }
  }

  @Test
  void keeps_its_values_when_detached() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
      SHARNNState state = afterSegment(model, manager, false);
      assertSame(state.detach(), state.toNDList());
    }
  }

  @Test
  void lives_and_dies_with_the_manager_that_it_is_attached_to() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
      NDManager owner = manager.newSubManager();
      SHARNNState state;
      try (NDManager batch = manager.newSubManager()) {
        NDArray tokens = TestModels.tokens(batch, new Random(1), 3, 5);
        state = TestModels.forward(model, batch, tokens, TestModels.zeros(model, batch, 3)).state();
        assertThat(state.attach(owner)).isSameAs(state);
      }
      assertThat(state.layers().get(0).hidden().toFloatArray()).hasSize(3 * 16);
      owner.close();
      assertThat(state.toNDList()).allMatch(array -> ((NativeResource<?>) array).isReleased());
    }
  }

  @Test
  void takes_some_streams() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
      SHARNNState state = afterSegment(model, manager, false);
      List<NDArray> expected = new ArrayList<>();
      for (NDArray array : state.toNDList()) {
        expected.add(array.get("1:3"));
      }
      assertSame(state.streams(1, 3), expected);
      SHARNNState empty = TestModels.zeros(model, manager, 3).streams(0, 2);
      assertThat(empty.layers().get(1).memory().positions().getShape())
          .isEqualTo(new Shape(2, 0, 16));
    }
  }

  @Test
  void closes_its_arrays() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNNState state = SHARNNState.zeros(CONFIG, manager, 2, DataType.FLOAT32);
      NDList arrays = state.toNDList();
      state.close();
      assertThat(arrays).allMatch(array -> ((NativeResource<?>) array).isReleased());
    }
  }

  @Test
  void copies_its_layers() {
    try (NDManager manager = NDManager.newBaseManager()) {
      List<SHARNNState.Layer> layers =
          new ArrayList<>(SHARNNState.zeros(CONFIG, manager, 2, DataType.FLOAT32).layers());
      SHARNNState state = new SHARNNState(layers);
      layers.clear();
      assertThat(state.layers()).hasSize(3);
    }
  }

  private static void assertSame(SHARNNState actual, List<NDArray> expected) {
    NDList arrays = actual.toNDList();
    assertThat(arrays).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      NDArrayAssert.assertThat(arrays.get(i)).isExactly(expected.get(i));
    }
  }

  @Test
  void refuses_streams_that_it_has_not() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNNState state = SHARNNState.zeros(CONFIG, manager, 3, DataType.FLOAT32);
      for (long[] range : new long[][] {{-1, 1}, {1, 4}, {2, 1}}) {
        assertThatThrownBy(() -> state.streams(range[0], range[1]))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("between 0 and the state's batchSize (3)")
            .hasMessageContaining(
                String.format(Locale.ROOT, "but are %d to %d", range[0], range[1]));
      }
    }
  }

  @Test
  void is_refused_by_another_model() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = TestModels.initialized(CONFIG.toBuilder(), manager, 1);
      NDArray tokens = TestModels.tokens(manager, new Random(1), 3, 5);
      for (SHARNNConfig other :
          List.of(
              CONFIG.toBuilder().layers(4).config(),
              CONFIG.toBuilder().attentionLayers(0).config(),
              CONFIG.toBuilder().attentionLayers().config())) {
        SHARNNState state = SHARNNState.zeros(other, manager, 3, DataType.FLOAT32);
        assertThatThrownBy(
                () -> model.forward(new ParameterStore(manager, false), tokens, state, false))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining(
                "must be of this model, 3 layers with attention in [1], but is of")
            .hasMessageContaining("memory in " + other.attentionLayers());
      }
      SHARNNState doubles = SHARNNState.zeros(CONFIG, manager, 3, DataType.FLOAT64);
      assertThatThrownBy(
              () -> model.forward(new ParameterStore(manager, false), tokens, doubles, false))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("activations' type float32, but hidden is of float64");
    }
  }

  @Test
  void backs_off_to_no_other_model() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNNState state = SHARNNState.zeros(CONFIG, manager, 3, DataType.FLOAT32);
      for (SHARNNConfig other :
          List.of(
              CONFIG.toBuilder().layers(4).config(),
              CONFIG.toBuilder().attentionLayers(0, 1).config())) {
        assertThatThrownBy(() -> state.backOff(other))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("a state of 3 layers, with memory in [1], can't back off to")
            .hasMessageContaining(String.format(Locale.ROOT, "of %d layers", other.layers()));
      }
    }
  }

  @Test
  void has_a_layer() {
    assertThatThrownBy(() -> new SHARNNState(List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a state must have at least one layer, but has none");
  }
}
