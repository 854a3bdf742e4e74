package io.github.sharnn;

import static io.github.sharnn.TestModels.initialized;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The state that a model carries from one segment to the next. */
class CarriedStateTest extends SeededModels {

  @ParameterizedTest
  @MethodSource("seeds")
  void gives_the_same_in_two_segments_as_in_one(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    Random random = new Random(seed);
    int batch = 1 + random.nextInt(3);
    int past = random.nextInt(4);
    // all positions fit, so that no split changes what a query sees
    int time = 2 + random.nextInt(model.config().memoryLength() - past - 1);
    int cut = 1 + random.nextInt(time - 1);
    SHARNNState state = TestModels.carriedState(model, manager, random, batch, past);
    NDArray tokens = TestModels.tokens(manager, random, batch, time);

    SHARNN.Output whole = TestModels.forward(model, manager, tokens, state);
    SHARNN.Output first = TestModels.forward(model, manager, tokens.get(":, 0:{}", cut), state);
    SHARNN.Output second =
        TestModels.forward(model, manager, tokens.get(":, {}:", cut), first.state());

    NDArrayAssert.assertThat(first.logits().concat(second.logits(), 1))
        .isCloseTo(whole.logits(), 1e-5);
    BlockChecks.assertThatStatesAgree(second.state(), whole.state(), 1e-5);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void reads_a_prompt_to_the_same_state_and_the_last_logits(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    Random random = new Random(seed);
    int time = 1 + random.nextInt(model.config().memoryLength());
    SHARNNState state = TestModels.carriedState(model, manager, random, 2, random.nextInt(4));
    NDArray tokens = TestModels.tokens(manager, random, 2, time);
    SHARNN.Output whole = TestModels.forward(model, manager, tokens, state);
    SHARNN.Output prompt = model.prefill(new ParameterStore(manager, false), tokens, state);
    NDArrayAssert.assertThat(prompt.logits())
        .hasShape(2, 1, model.config().vocabularySize())
        .isCloseTo(whole.logits().get(":, -1:"), 1e-6);
    NDArrayAssert.assertThat(prompt.output()).isExactly(whole.output());
    BlockChecks.assertThatStatesAgree(prompt.state(), whole.state(), 0);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void starts_from_a_zero_state_without_one(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    NDArray tokens = TestModels.tokens(manager, new Random(seed), 2, 7);
    NDArray expected =
        TestModels.forward(model, manager, tokens, TestModels.zeros(model, manager, 2)).logits();
    NDArrayAssert.assertThat(TestModels.logits(model, manager, tokens)).isExactly(expected);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void remembers_no_more_than_the_last_positions(int seed) {
    SHARNN model =
        initialized(TestModels.vary(seed).layers(2).attentionLayers(0, 1), manager, seed);
    int window = model.config().memoryLength();
    Random random = new Random(seed);
    SHARNNState state = TestModels.zeros(model, manager, 2);
    int seen = 0;
    int[] lengths =
        IntStream.concat(
                random.ints(6, 1, window), IntStream.of(window, 3, window + 1, 2 * window, 1))
            .toArray();
    for (int time : lengths) {
      NDArray tokens = TestModels.tokens(manager, random, 2, time);
      SHARNNState next = TestModels.forward(model, manager, tokens, state).state();
      seen += time;
      for (int layer : model.config().attentionLayers()) {
        AttentionMemory memory = next.layers().get(layer).memory();
        assertThat(memory.length()).isEqualTo(Math.min(seen, window));
        int old = memory.length() - time;
        if (old > 0) {
          NDArrayAssert.assertThat(memory.positions().get(":, 0:{}", old))
              .isExactly(state.layers().get(layer).memory().last(old).positions());
        }
      }
      state = next;
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void forgets_all_before_the_window(int seed) {
    SHARNN model = initialized(TestModels.vary(seed).attentionLayers(0), manager, seed);
    int window = model.config().memoryLength();
    Random random = new Random(seed);
    NDArray tokens = TestModels.tokens(manager, random, 2, 4);
    SHARNNState state = TestModels.carriedState(model, manager, random, 2, window);
    SHARNNState other = withOldestChanged(state, 4);
    SHARNNState visible = withOldestChanged(state, 5);

    NDArray logits = TestModels.forward(model, manager, tokens, state).logits();
    // 4 tokens push the 4 oldest positions out, and no more
    NDArrayAssert.assertThat(TestModels.forward(model, manager, tokens, other).logits())
        .isExactly(logits);
    assertThat(TestModels.forward(model, manager, tokens, visible).logits().contentEquals(logits))
        .isFalse();
  }

  private static SHARNNState withOldestChanged(SHARNNState state, int count) {
    List<SHARNNState.Layer> layers = new ArrayList<>(state.layers());
    SHARNNState.Layer layer = layers.get(0);
    NDArray positions = layer.memory().positions();
    NDArray changed =
        positions.get(":, 0:{}", count).neg().concat(positions.get(":, {}:", count), 1);
    layers.set(
        0, new SHARNNState.Layer(layer.hidden(), layer.cell(), new AttentionMemory(changed)));
    return new SHARNNState(layers);
  }
}
