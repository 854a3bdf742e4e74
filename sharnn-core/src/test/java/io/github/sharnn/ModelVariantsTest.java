package io.github.sharnn;

import static io.github.sharnn.NDArrayAssert.assertThat;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelVariantsTest {

  private static final int B = 2;

  private final NDManager manager = NDManager.newBaseManager();
  private final SHARNN full =
      TestModels.initialized(TestModels.tiny().attentionLayers(0, 2), manager, 5);

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray tokens(int seed, int time) {
    return TestModels.tokens(manager, new Random(seed), B, time);
  }

  private SHARNNState stateAfter(SHARNN model, int tokens) {
    return TestModels.forward(
            model, manager, tokens(1, tokens), TestModels.zeros(model, manager, B))
        .state();
  }

  /** The same state with all but the newest positions cut off by hand. */
  private SHARNNState cut(SHARNNState state, int positions) {
    return new SHARNNState(
        state.layers().stream()
            .map(
                layer ->
                    layer.memory() == null
                        ? layer
                        : new SHARNNState.Layer(
                            layer.hidden(), layer.cell(), layer.memory().last(positions)))
            .toList());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 5, 13})
  void a_shorter_memory_is_the_full_ones_newest_positions(int positions) {
    SHARNN small = full.withMemoryLength(positions);
    SHARNNState state = stateAfter(full, 14);
    SHARNNState shortened = state.backOff(small.config());
    for (int layer : new int[] {0, 2}) {
      assertThat(shortened.layers().get(layer).memory().length()).isEqualTo(positions);
    }
    int time = Math.max(positions / 2, 1);
    NDArray next = tokens(2, time);
    NDArray expected =
        TestModels.forward(full, manager, next, cut(state, positions - time)).logits();
    SHARNN.Output output = TestModels.forward(small, manager, next, shortened);
    assertThat(output.logits()).isCloseTo(expected, 1e-6);
    assertThat(output.state().layers().get(0).memory().length()).isEqualTo(Math.min(positions, 18));
    if (positions < 13) {
      NDArray whole = TestModels.forward(full, manager, next, state).logits();
      assertThat(output.logits().sub(whole).abs().max().getFloat()).isGreaterThan(1e-4f);
    }
  }

  /** Without what attention adds, but with the norm before it. */
  @Test
  void without_attention_is_attention_that_gives_nothing() {
    SHARNN silent = full.collapse(manager);
    for (int layer : new int[] {0, 2}) {
      TestModels.assign(silent.blocks.get(layer).attention.valueScale, new double[TestModels.SIZE]);
    }
    SHARNN small = full.withoutAttention();
    SHARNNState state = stateAfter(full, 14);
    NDArray next = tokens(2, 4);
    SHARNN.Output output = TestModels.forward(small, manager, next, state.backOff(small.config()));
    assertThat(output.logits())
        .isCloseTo(TestModels.forward(silent, manager, next, state).logits(), 1e-6);
    assertThat(output.state().toNDList()).hasSize(6);
    assertThat(small.config().attentionLayers()).isEmpty();
    assertThat(small.config().droppedAttention()).containsExactly(0, 2);
    assertThat(small.parameterCount()).isLessThan(full.parameterCount());
    assertThat(small.config().parameterCount()).isEqualTo(small.parameterCount());
    assertThat(small.withoutAttention().config()).isEqualTo(small.config());
  }

  @Test
  void shares_the_weights_in_place() {
    SHARNN small = full.withMemoryLength(3);
    NDArray tokens = tokens(2, 4);
    NDArray before = TestModels.logits(small, manager, tokens);
    double[] bias = new Random(1).doubles(TestModels.VOCABULARY).toArray();
    TestModels.assign(SafetensorsWeights.names(full).get("decoder.bias"), bias);
    NDArray after = TestModels.logits(small, manager, tokens);
    assertThat(after).isCloseTo(TestModels.logits(full, manager, tokens), 1e-6);
    assertThat(after.sub(before).abs().max().getFloat()).isGreaterThan(0.01f);
  }

  @Test
  void at_load_and_saved_again(@TempDir Path folder) throws Exception {
    NDArray tokens = tokens(2, 9);
    NDArray expected;
    try (Model model = TestModels.tiny().attentionLayers(0, 2).build().newModel("full")) {
      TestModels.initialized(
          SHARNN.of(model),
          model.getNDManager(),
          full.embedding.getArray().getDataType(),
          5,
          new Shape(1, 1));
      expected = TestModels.logits(SHARNN.of(model).withoutAttention(), manager, tokens);
      model.save(folder.resolve("full"), null);
    }
    try (Model small =
        SHARNN.load(
            folder.resolve("full"), null, block -> block.withMemoryLength(4).withoutAttention())) {
      assertThat(TestModels.logits(SHARNN.of(small), manager, tokens)).isCloseTo(expected, 1e-6);
      small.save(folder.resolve("small"), null);
    }
    try (Model again = SHARNN.load(folder.resolve("small"))) {
      assertThat(SHARNN.of(again).config().memoryLength()).isEqualTo(4);
      assertThat(SHARNN.of(again).config().droppedAttention()).containsExactly(0, 2);
      assertThat(TestModels.logits(SHARNN.of(again), manager, tokens)).isCloseTo(expected, 1e-6);
    }
  }

  @Test
  void reads_a_config_from_before_there_was_back_off() {
    String json = full.config().toJson();
    String old = json.replace(",\"droppedAttention\":[]", "");
    assertThat(old).isNotEqualTo(json);
    assertThat(SHARNNConfig.fromJson(old)).isEqualTo(full.config());
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                SHARNNConfig.fromJson(
                    json.replace("\"droppedAttention\":[]", "\"droppedAttention\":[7]")))
        .withMessageContaining("droppedAttention ([7]) must lie between 0 and layers - 1 (2)");
  }

  @Test
  void refuses_what_makes_no_model() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> full.withMemoryLength(-1))
        .withMessage("memoryLength must be at least 0, but is -1");
    assertThatIllegalStateException()
        .isThrownBy(() -> TestModels.tiny().build().withoutAttention())
        .withMessageContaining("must be initialized or loaded before it backs off");
  }

  @Test
  void building_on_a_config_keeps_attention_dropped_until_its_layers_are_chosen_anew() {
    SHARNNConfig trained = TestModels.tiny().layers(3).attentionLayers(0, 2).config();
    SHARNNConfig dropped = trained.withoutAttention();
    assertThat(dropped.toBuilder().config()).isEqualTo(dropped);
    assertThat(trained.toBuilder().config()).isEqualTo(trained);
    assertThat(dropped.toBuilder().attentionLayers(0, 2).config()).isEqualTo(trained);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> dropped.toBuilder().layers(2).config())
        .withMessageContaining("droppedAttention ([0, 2]) must lie between 0 and layers - 1 (1)");
    String both = trained.toJson().replace("\"droppedAttention\":[]", "\"droppedAttention\":[2]");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SHARNNConfig.fromJson(both))
        .withMessage("droppedAttention ([2]) must name no layer that has attention ([0, 2])");
  }

  @Test
  void other_dropouts_keep_the_loaded_weights(@TempDir Path folder) throws Exception {
    NDArray tokens = tokens(2, 9);
    try (Model model = full.newModel("full")) {
      model.save(folder, null);
    }
    NDArray expected = TestModels.logits(full, manager, tokens);
    try (Model tuned =
        SHARNN.load(
            folder,
            null,
            block ->
                block.withDropouts(0.3f).withWeightDrop(0.5f).withDropouts(0.1f, 0.2f, 0.25f))) {
      SHARNNConfig config = SHARNN.of(tuned).config();
      assertThat(config)
          .isEqualTo(
              full.config().toBuilder()
                  .inputDropout(0.1f)
                  .hiddenDropout(0.2f)
                  .outputDropout(0.25f)
                  .weightDrop(0.5f)
                  .config());
      assertThat(TestModels.logits(SHARNN.of(tuned), manager, tokens)).isCloseTo(expected, 0);
      tuned.save(folder, null);
    }
    try (Model again = SHARNN.load(folder)) {
      assertThat(SHARNN.of(again).config().weightDrop()).isEqualTo(0.5f);
      assertThat(TestModels.logits(SHARNN.of(again), manager, tokens)).isCloseTo(expected, 0);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> full.withDropouts(1))
        .withMessageContaining(
            "inputDropout must be at least 0 and below 1 (a dropout rate), but is 1.0");
    assertThatIllegalStateException()
        .isThrownBy(() -> TestModels.tiny().build().withDropouts(0.5f))
        .withMessageContaining("must be initialized or loaded");
  }

  @Test
  void a_block_without_the_loaded_weights_is_refused(@TempDir Path folder) throws Exception {
    try (Model model = full.newModel("full")) {
      model.save(folder, null);
    }
    SHARNN initialized = full.config().toBuilder().build();
    initialized.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
    List<UnaryOperator<SHARNN>> others =
        List.of(
            block -> null,
            block -> block.config().toBuilder().dropouts(0.3f).build(),
            block -> block.config().toBuilder().build(),
            block -> initialized,
            block -> full,
            block -> full.withMemoryLength(2),
            block -> SHARNN.of(block.config(), block.vocabulary()));
    for (UnaryOperator<SHARNN> other : others) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> SHARNN.load(folder, null, other))
          .withMessageContaining("the function of SHARNN.load must return")
          .withMessageContaining("withDropouts")
          .withMessageContaining(folder.toString());
    }
    try (Model collapsed = SHARNN.load(folder, null, block -> block.collapse(manager))) {
      assertThat(SHARNN.of(collapsed).config().collapsed()).isTrue();
    }
  }
}
