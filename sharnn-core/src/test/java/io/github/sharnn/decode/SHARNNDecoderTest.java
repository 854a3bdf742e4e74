package io.github.sharnn.decode;

import static io.github.sharnn.NDArrayAssert.assertThat;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.TestModels;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SHARNNDecoderTest {

  private static final int V = TestModels.VOCABULARY;

  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** One text through the model, a segment of one token at a time. */
  private final class Plain {

    private final SHARNN model;
    private SHARNNState state;

    Plain(SHARNN model, Random random, int prompt) {
      this.model = model;
      state = model.zeroState(manager, 1);
      for (int t = 0; t < prompt; t++) {
        next(random.nextInt(V));
      }
    }

    NDArray next(long token) {
      NDArray tokens = manager.create(new long[] {token}, new Shape(1, 1));
      SHARNN.Output output =
          model.forward(new ParameterStore(manager, false), tokens, state, false);
      state = output.state();
      return output.logits().reshape(V);
    }
  }

  private SHARNNDecoder decoder(SHARNN model, int capacity) {
    return SHARNNDecoder.of(model, manager, capacity, model.embedding.getArray().getDataType());
  }

  /** Models of 1 to 3 layers with and without attention and every option; windows of 8 to 18. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
  void gives_the_logits_of_forward_from_an_empty_memory_till_long_after_it_is_full(int seed) {
    // one half knows more tokens than it has features, the other fewer
    SHARNNConfig.Builder options =
        seed < 6 ? TestModels.vary(seed) : TestModels.vary(seed).embeddingSize(32).boomSize(96);
    SHARNN model = TestModels.initialized(options, manager, seed);
    for (int prompt : new int[] {0, 5, 25}) {
      Plain plain = new Plain(model, new Random(1), prompt);
      try (SHARNNDecoder decoder = decoder(model, 1)) {
        decoder.add(plain.state);
        Random random = new Random(2);
        for (int t = 0; t < 25; t++) {
          long token = random.nextInt(V);
          NDArray logits = manager.create(decoder.next(token)[0]);
          assertThat(logits).isCloseTo(plain.next(token), 1e-5);
        }
      }
    }
  }

  /** As large as those whose products run on several threads. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void gives_the_logits_of_forward_for_large_matrices(int seed) {
    SHARNNConfig.Builder options = TestModels.vary(seed).embeddingSize(192).boomSize(768);
    SHARNN model = TestModels.initialized(options, manager, seed);
    Plain plain = new Plain(model, new Random(1), 7);
    try (SHARNNDecoder decoder = decoder(model, 1)) {
      decoder.add(plain.state);
      for (int token = 0; token < 5; token++) {
        NDArray logits = manager.create(decoder.next(token)[0]);
        assertThat(logits).isCloseTo(plain.next(token), 1e-5);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5})
  void streams_of_different_lengths_side_by_side_get_what_each_gets_alone(int seed) {
    SHARNN model = TestModels.initialized(TestModels.vary(seed), manager, seed);
    Random random = new Random(seed);
    List<Plain> alone = new ArrayList<>();
    for (int prompt : new int[] {11, 40, 3, 0}) { // the second does not fit before the others
      alone.add(new Plain(model, random, prompt));
    }
    try (SHARNNDecoder decoder = decoder(model, 4)) {
      decoder.add(alone.get(0).state);
      decoder.add(alone.get(1).state);
      check(decoder, alone.subList(0, 2), random, 4);
      decoder.add(alone.get(2).state);
      decoder.add(alone.get(3).state);
      List<Plain> there = new ArrayList<>(alone);
      check(decoder, there, random, 5);

      decoder.remove(1); // the last takes its place
      Collections.swap(there, 1, 3);
      there.remove(3);
      check(decoder, there, random, 7);

      Plain late = new Plain(model, random, 9);
      decoder.add(late.state);
      there.add(late);
      check(decoder, there, random, 30);

      decoder.remove(3);
      there.remove(3);
      check(decoder, there, random, 2);
      while (decoder.streams() > 0) {
        decoder.remove(0);
      }
      Plain anew = new Plain(model, random, 2);
      decoder.add(anew.state);
      check(decoder, List.of(anew), random, 25);
    }
  }

  private void check(SHARNNDecoder decoder, List<Plain> alone, Random random, int count) {
    assertThat(decoder.streams()).isEqualTo(alone.size());
    for (int t = 0; t < count; t++) {
      long[] tokens = random.longs(alone.size(), 0, V).toArray();
      float[][] logits = decoder.next(tokens);
      for (int i = 0; i < tokens.length; i++) {
        assertThat(manager.create(logits[i])).isCloseTo(alone.get(i).next(tokens[i]), 1e-5);
      }
    }
  }

  /** Two growths of the cache, and the closed ring after them. */
  @ParameterizedTest
  @ValueSource(ints = {0, 256, 600})
  void gives_the_logits_of_forward_while_the_cache_grows(int prompt) {
    SHARNN model =
        TestModels.initialized(TestModels.tiny().attentionLayers(1).memoryLength(700), manager, 5);
    Plain plain = new Plain(model, new Random(1), prompt);
    try (SHARNNDecoder decoder = decoder(model, 2)) {
      decoder.add(plain.state);
      check(decoder, List.of(plain), new Random(2), 260);
      assertThat(slots(decoder)).isEqualTo(prompt + 260 <= 512 ? 512 : 700);
    }
  }

  @Test
  void a_stream_with_a_longer_memory_moves_the_others() {
    SHARNN model =
        TestModels.initialized(
            TestModels.tiny().attentionLayers(0, 2).memoryLength(600), manager, 5);
    Random random = new Random(1);
    List<Plain> alone = new ArrayList<>();
    for (int prompt : new int[] {0, 9, 300, 40, 600}) {
      alone.add(new Plain(model, random, prompt));
    }
    try (SHARNNDecoder decoder = decoder(model, 5)) {
      int[] slots = {256, 256, 512, 512, 600};
      for (int i = 0; i < alone.size(); i++) {
        decoder.add(alone.get(i).state);
        check(decoder, alone.subList(0, i + 1), random, 3);
        assertThat(slots(decoder)).as("after stream %s", i).isEqualTo(slots[i]);
      }
      check(decoder, alone, random, 20);
      while (decoder.streams() > 0) {
        decoder.remove(0);
      }
      Plain anew = new Plain(model, random, 7);
      decoder.add(anew.state);
      check(decoder, List.of(anew), random, 5);
    }
  }

  @Test
  void takes_memory_for_the_text_and_not_for_the_memory_that_a_model_claims() {
    SHARNNConfig.Builder options = TestModels.tiny().attentionLayers(0, 1, 2);
    SHARNN model = TestModels.initialized(options.memoryLength(Integer.MAX_VALUE), manager, 5);
    Random random = new Random(1);
    List<Plain> alone = List.of(new Plain(model, random, 3), new Plain(model, random, 5));
    try (SHARNNDecoder decoder = decoder(model, 2)) {
      decoder.add(alone.get(0).state);
      decoder.add(alone.get(1).state); // a longer memory than the first one's
      check(decoder, alone, random, 300);
      assertThat(slots(decoder)).isEqualTo(512);
    }
  }

  /** The slots of each ring buffer that are allocated. */
  private static long slots(SHARNNDecoder decoder) {
    return decoder.arrays().stream()
        .filter(array -> array.getShape().dimension() == 3 && array.size(0) > 1)
        .mapToLong(array -> array.size(1))
        .max()
        .orElseThrow();
  }

  @Test
  void follows_a_model_that_backed_off_or_is_collapsed() {
    SHARNN full = TestModels.initialized(TestModels.tiny().attentionLayers(0, 2), manager, 5);
    for (SHARNN model :
        List.of(
            full.withMemoryLength(0),
            full.withMemoryLength(7),
            full.withoutAttention(),
            full.collapse(manager))) {
      Plain plain = new Plain(model, new Random(1), 4);
      try (SHARNNDecoder decoder = decoder(model, 1)) {
        decoder.add(plain.state);
        check(decoder, List.of(plain), new Random(3), 20);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void computes_in_another_precision_than_the_weights(boolean split) {
    SHARNNConfig.Builder options = TestModels.tiny().attentionLayers(1);
    options.splits(split ? new int[] {9, 20} : new int[0]);
    SHARNN model = TestModels.initialized(options, manager, 5);
    Plain plain = new Plain(model, new Random(1), 4);
    try (SHARNNDecoder decoder = SHARNNDecoder.of(model, manager, 1, DataType.FLOAT64)) {
      decoder.add(plain.state);
      check(decoder, List.of(plain), new Random(3), 20);
    }
  }

  @Test
  void leaves_the_given_state_and_the_weights_alone_and_no_array_behind() {
    SHARNN model = TestModels.initialized(TestModels.tiny().attentionLayers(1), manager, 5);
    Plain plain = new Plain(model, new Random(1), 25);
    List<float[]> before = numbers(model, plain.state);
    int arrays = liveArrays();
    try (SHARNNDecoder decoder = decoder(model, 2)) {
      decoder.add(plain.state);
      decoder.next(3);
      int one = liveArrays();
      for (int t = 0; t < 30; t++) {
        decoder.next(3);
      }
      assertThat(liveArrays()).isEqualTo(one);
      decoder.add(plain.state);
      decoder.next(3, 4);
      decoder.remove(0);
      decoder.next(3);
      assertThat(liveArrays()).isEqualTo(one);
    }
    assertThat(liveArrays()).isEqualTo(arrays);
    NDManager owner = manager.newSubManager();
    SHARNNDecoder forgotten = SHARNNDecoder.of(model, owner, 1, null);
    forgotten.add(plain.state);
    owner.close();
    assertThatThrownBy(() -> forgotten.next(3))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    List<float[]> after = numbers(model, plain.state);
    for (int i = 0; i < before.size(); i++) {
      assertThat(after.get(i)).isEqualTo(before.get(i));
    }
  }

  private static List<float[]> numbers(SHARNN model, SHARNNState state) {
    List<float[]> numbers = new ArrayList<>();
    model.getParameters().values().forEach(p -> numbers.add(p.getArray().toFloatArray()));
    state.toNDList().forEach(array -> numbers.add(array.toFloatArray()));
    return numbers;
  }

  private int liveArrays() {
    return manager.getParentManager().getManagedArrays().size();
  }

  /** Or a trained model would keep every token's activations wherever gradients are recorded. */
  @Test
  void records_no_gradients() {
    SHARNN model = TestModels.initialized(TestModels.tiny().attentionLayers(1), manager, 5);
    model.getParameters().values().forEach(p -> p.getArray().setRequiresGradient(true));
    Plain plain = new Plain(model, new Random(1), 4);
    try (GradientCollector recording = Engine.getInstance().newGradientCollector()) {
      SHARNNState history =
          model
              .forward(
                  new ParameterStore(manager, false),
                  manager.create(new long[] {5}, new Shape(1, 1)),
                  plain.state,
                  true)
              .state();
      try (SHARNNDecoder decoder = decoder(model, 1)) {
        decoder.add(history);
        plain.next(5);
        check(decoder, List.of(plain), new Random(3), 20);
        assertThat(decoder.arrays()).isNotEmpty().noneMatch(NDArray::hasGradient);
      }
      recording.backward(model.embedding.getArray().sum()); // what comes after is recorded
    }
  }

  @Test
  void rejects_what_it_cannot_decode() {
    SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 5);
    assertThatThrownBy(() -> decoder(model, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("capacity must be at least 1 stream, but is 0");
    assertThatThrownBy(
            () -> SHARNNDecoder.of(TestModels.tiny().build(), manager, 1, DataType.FLOAT32))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("must be initialized or loaded");
    assertThatThrownBy(() -> SHARNNDecoder.of(model, manager, 1, DataType.BFLOAT16))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "precision must be INT8, FLOAT16, FLOAT32 or FLOAT64, but is bfloat16");
    try (SHARNNDecoder decoder = decoder(model, 1)) {
      assertThatThrownBy(() -> decoder.next(1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("one token for each of at least one stream, but there are 1 for 0");
      assertThatThrownBy(() -> decoder.add(model.zeroState(manager, 2)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("the state must be of one stream, but is of 2");
      SHARNN other = TestModels.initialized(TestModels.tiny().layers(1), manager, 5);
      assertThatThrownBy(() -> decoder.add(other.zeroState(manager, 1)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("must be of this model, 3 layers with attention in");
      SHARNNConfig wide = model.config().toBuilder().embeddingSize(32).config();
      assertThatThrownBy(() -> decoder.add(SHARNNState.zeros(wide, manager, 1, DataType.FLOAT32)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("(batch, embeddingSize) = (1, 16), but have (1, 32)");
      decoder.add(model.zeroState(manager, 1));
      assertThatThrownBy(() -> decoder.add(model.zeroState(manager, 1)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("room for 1 streams");
      assertThatThrownBy(() -> decoder.next(V))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("vocabularySize - 1 (28), but one is 29");
      assertThatThrownBy(() -> decoder.next(-1)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> decoder.remove(1)).isInstanceOf(IndexOutOfBoundsException.class);
    }
  }
}
