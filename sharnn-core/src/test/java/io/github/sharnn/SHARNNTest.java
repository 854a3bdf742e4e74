package io.github.sharnn;

import static io.github.sharnn.TestModels.VOCABULARY;
import static io.github.sharnn.TestModels.initialized;
import static io.github.sharnn.TestModels.tiny;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.SequentialBlock;
import ai.djl.training.ParameterStore;
import ai.djl.training.loss.Loss;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SHARNNTest extends SeededModels {

  @ParameterizedTest
  @MethodSource("seeds")
  void computes_what_the_naive_loops_do(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    int window = model.config().memoryLength();
    Random random = new Random(seed);
    int batch = 1 + random.nextInt(3);
    SHARNNState state = TestModels.zeros(model, manager, batch);
    List<List<NaiveSharnn.State>> states = new ArrayList<>();
    for (int b = 0; b < batch; b++) {
      states.add(new ArrayList<>());
      for (int layer = 0; layer < model.config().layers(); layer++) {
        states.get(b).add(NaiveSharnn.State.zero(TestModels.SIZE));
      }
    }
    // past the window, exactly the window, and longer than it
    for (int time : new int[] {1 + random.nextInt(6), window - 1, 5, window, 3, window + 2, 2}) {
      NDArray tokens = TestModels.tokens(manager, random, batch, time);
      SHARNN.Output output = TestModels.forward(model, manager, tokens, state);
      state = output.state();
      double[][][] logits = new double[batch][][];
      for (int b = 0; b < batch; b++) {
        int[] stream =
            IntStream.of(tokens.get(b).toType(DataType.INT32, false).toIntArray()).toArray();
        logits[b] = NaiveSharnn.logits(model, stream, states.get(b));
      }
      // log-probabilities are several times as large as logits
      double tolerance = model.config().hasSplits() ? 5e-5 : 1e-5;
      BlockChecks.assertThatStreams(output.logits(), logits, tolerance);
      for (int layer : model.config().attentionLayers()) {
        double[][][] memory = new double[batch][][];
        for (int b = 0; b < batch; b++) {
          memory[b] = states.get(b).get(layer).memory();
        }
        BlockChecks.assertThatStreams(state.layers().get(layer).memory().positions(), memory, 1e-5);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void gives_a_loss_what_it_needs_of_the_labels(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    Random random = new Random(seed);
    NDArray tokens = TestModels.tokens(manager, random, 3, 7);
    NDList labels = new NDList(TestModels.tokens(manager, random, 3, 7));
    NDArray all = TestModels.logits(model, manager, tokens);
    NDArray own =
        model
            .forward(new ParameterStore(manager, false), new NDList(tokens), labels, null)
            .singletonOrThrow();
    if (model.config().hasSplits()) {
      NDArray expected = all.gather(labels.head().expandDims(2), 2).squeeze(2);
      NDArrayAssert.assertThat(own).hasShape(3, 7).isCloseTo(expected, 1e-6);
      for (float sum : all.exp().sum(new int[] {2}).toFloatArray()) {
        assertThat(sum).isCloseTo(1, within(1e-5f));
      }
    } else {
      NDArrayAssert.assertThat(own).isCloseTo(all, 1e-6);
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void sees_no_later_token_and_no_other_stream(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    Random random = new Random(seed);
    int batch = 2 + random.nextInt(3);
    int time = 2 + random.nextInt(20);
    int changed = random.nextInt(time);
    SHARNNState state = TestModels.carriedState(model, manager, random, batch, 6);
    NDArray tokens = TestModels.tokens(manager, random, batch, time);
    long[] ids = tokens.toLongArray();
    ids[changed] = (ids[changed] + 1 + random.nextInt(VOCABULARY - 1)) % VOCABULARY;
    NDArray others = manager.create(ids, tokens.getShape());

    NDArray before = TestModels.forward(model, manager, tokens, state).logits();
    NDArray after = TestModels.forward(model, manager, others, state).logits();

    if (changed > 0) {
      NDArrayAssert.assertThat(after.get("0, 0:{}", changed))
          .isCloseTo(before.get("0, 0:{}", changed), 1e-6);
    }
    for (int t = changed; t < time; t++) {
      double difference = after.get("0, {}", t).sub(before.get("0, {}", t)).abs().max().getFloat();
      // later positions hear of it through the LSTM, ever more faintly
      assertThat(difference).as("at %s", t).isGreaterThan(t == changed ? 1e-3 : 0);
    }
    NDArrayAssert.assertThat(after.get("1:")).isCloseTo(before.get("1:"), 1e-6);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void is_random_only_in_training(int seed) {
    SHARNN model =
        initialized(TestModels.vary(seed).dropouts(0.3f).weightDrop(0.3f), manager, seed);
    SHARNN plain =
        initialized(TestModels.vary(seed).dropouts(0), manager, seed); // the same weights
    NDList tokens = new NDList(TestModels.tokens(manager, new Random(seed), 2, 9));
    ParameterStore parameterStore = new ParameterStore(manager, false);

    NDArray first = model.forward(parameterStore, tokens, false).head();
    NDArrayAssert.assertThat(model.forward(parameterStore, tokens, false).head()).isExactly(first);
    NDArrayAssert.assertThat(plain.forward(parameterStore, tokens, false).head()).isExactly(first);
    NDArrayAssert.assertThat(plain.forward(parameterStore, tokens, true).head())
        .isCloseTo(first, 1e-6);
    NDArray trained = model.forward(parameterStore, tokens, true).head();
    assertThat(trained.contentEquals(model.forward(parameterStore, tokens, true).head())).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"0.5, 0, 0", "0, 0.5, 0", "0, 0, 0.5"})
  void has_three_dropouts_of_which_each_counts(float input, float hidden, float output) {
    SHARNN model =
        initialized(
            tiny().inputDropout(input).hiddenDropout(hidden).outputDropout(output), manager, 1);
    NDList tokens = new NDList(TestModels.tokens(manager, new Random(1), 2, 9));
    ParameterStore parameterStore = new ParameterStore(manager, false);
    NDArray trained = model.forward(parameterStore, tokens, true).head();
    assertThat(trained.contentEquals(model.forward(parameterStore, tokens, false).head()))
        .isFalse();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void permutes_with_its_streams(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    Random random = new Random(seed);
    SHARNNState state = TestModels.carriedState(model, manager, random, 4, 5);
    NDArray tokens = TestModels.tokens(manager, random, 4, 1 + random.nextInt(12));
    NDArray order = manager.create(new long[] {2, 0, 3, 1});

    SHARNN.Output plain = TestModels.forward(model, manager, tokens, state);
    SHARNN.Output permuted =
        TestModels.forward(model, manager, pick(tokens, order), permute(model, state, order));

    NDArrayAssert.assertThat(permuted.logits()).isCloseTo(pick(plain.logits(), order), 1e-6);
    BlockChecks.assertThatStatesAgree(permuted.state(), permute(model, plain.state(), order), 1e-6);
  }

  private static SHARNNState permute(SHARNN model, SHARNNState state, NDArray order) {
    NDList permuted = new NDList();
    state.toNDList().forEach(array -> permuted.add(pick(array, order)));
    return SHARNNState.fromNDList(model.config(), permuted);
  }

  private static NDArray pick(NDArray array, NDArray order) {
    return array.get(order);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void promises_the_shapes_that_it_returns(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    Random random = new Random(seed);
    SequentialBlock alone = new SequentialBlock().add(model);
    NDList inputs = new NDList(TestModels.tokens(manager, random, 3, 1 + random.nextInt(20)));
    ParameterStore parameterStore = new ParameterStore(manager, false);
    assertThat(alone.forward(parameterStore, inputs, false).getShapes())
        .isEqualTo(alone.getOutputShapes(inputs.getShapes()));
    inputs.addAll(
        TestModels.carriedState(model, manager, random, 3, random.nextInt(20)).toNDList());
    NDList outputs = alone.forward(parameterStore, inputs, false);
    assertThat(outputs.getShapes()).isEqualTo(alone.getOutputShapes(inputs.getShapes()));
    assertThat(outputs).hasSameSizeAs(inputs);
  }

  @Test
  void takes_int_and_long_tokens() {
    SHARNN model = initialized(tiny(), manager, 1);
    NDArray tokens = TestModels.tokens(manager, new Random(1), 2, 5);
    NDArrayAssert.assertThat(
            TestModels.logits(model, manager, tokens.toType(DataType.INT32, false)))
        .isExactly(TestModels.logits(model, manager, tokens));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 5, 10, 16})
  void trains_in_double_precision_with_the_gradients_of_finite_differences(int seed) {
    BlockChecks.assertThatGradientsMatchFiniteDifferences(
        TestModels.vary(seed).build(),
        m -> {
          NDArray tokens = TestModels.tokens(m, new Random(seed), 2, 5);
          SHARNNState state =
              SHARNNState.zeros(TestModels.vary(seed).config(), m, 2, DataType.FLOAT64);
          return new NDList(tokens).addAll(state.toNDList());
        });
  }

  @Test
  void trains_with_djls_own_trainer() {
    BlockChecks.assertThatTrains(
        tiny().dropouts(0.1f).weightDrop(0.1f).build(),
        Loss.softmaxCrossEntropyLoss(),
        m -> new NDList(TestModels.tokens(m, new Random(1), 2, 9)),
        m -> TestModels.tokens(m, new Random(2), 2, 9).expandDims(2));
  }

  @Test
  void rejects_tokens_outside_the_vocabulary() {
    SHARNN model = initialized(tiny(), manager, 1);
    for (int bad : new int[] {-1, VOCABULARY}) {
      NDArray tokens = manager.create(new int[] {3, bad, 5}, new Shape(1, 3));
      assertThatThrownBy(() -> TestModels.logits(model, manager, tokens))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "tokens must lie between 0 and vocabularySize - 1 (28), but reach from "
                  + Math.min(bad, 3)
                  + " to "
                  + Math.max(bad, 5)
                  + "; set vocabularySize to the number of distinct tokens (256 for bytes)");
    }
  }

  @Test
  void rejects_tokens_of_another_rank_or_type() {
    SHARNN model = initialized(tiny(), manager, 1);
    NDArray flat = manager.create(new int[] {3, 5});
    NDArray cube = flat.reshape(1, 2, 1);
    NDArray none = manager.create(new int[0], new Shape(1, 0));
    for (NDArray tokens : List.of(flat, cube, none)) {
      assertThatThrownBy(() -> TestModels.logits(model, manager, tokens))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "tokens must have the shape (batch, time), both at least 1, but have "
                  + tokens.getShape());
    }
    assertThatThrownBy(() -> TestModels.logits(model, manager, manager.zeros(new Shape(1, 2))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("tokens must be of INT64 or INT32, but are of float32");
    assertThatThrownBy(
            () -> tiny().build().initialize(manager, DataType.FLOAT32, new Shape(1, 2, 3)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("SHARNN takes tokens of shape (batch, time), but was given (1, 2, 3)");
  }

  @Test
  void finds_itself_in_a_model() {
    SHARNN block = tiny().build();
    try (Model model = block.newModel("tiny");
        Model other = Model.newInstance("other", "PyTorch")) {
      assertThat(SHARNN.of(model)).isSameAs(block);
      assertThat(SHARNNConfig.fromJson(model.getProperty(SHARNN.CONFIG_PROPERTY)))
          .isEqualTo(block.config());
      assertThatThrownBy(() -> SHARNN.of(other))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("model other must hold a SHARNN block, but holds none");
      other.setBlock(new SequentialBlock());
      assertThatThrownBy(() -> SHARNN.of(other)).hasMessageContaining("SequentialBlock");
    }
  }
}
