package io.github.sharnn.generate;

import static ai.djl.ndarray.types.DataType.INT64;
import static io.github.sharnn.NDArrayAssert.assertThat;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TokenLoopTest {

  /** 1030 bytes, in segments of 1024, and then of 6. */
  @Test
  void feeds_the_last_memory_length_bytes_of_the_prompt() {
    try (Model model = TinyModel.of(TinyModel.builder().memoryLength(1030))) {
      String kept = "remembered".repeat(103);
      assertThat(logitsAfter(model, ("lost " + kept).getBytes(UTF_8)))
          .isEqualTo(logitsAfter(model, kept.getBytes(UTF_8)));
    }
  }

  @Test
  void reads_fewer_tokens_at_once_where_each_has_many_logits() {
    assertThat(segmentLength(256)).isEqualTo(1024);
    assertThat(segmentLength(65_536)).isEqualTo(1024);
    assertThat(segmentLength(267_735)).isEqualTo(250);
    assertThat(segmentLength(Integer.MAX_VALUE)).isEqualTo(1);
  }

  private static int segmentLength(int vocabularySize) {
    return TokenLoop.segmentLength(TinyModel.builder().vocabularySize(vocabularySize).config());
  }

  /** In segments of 20, so that attention sees no more of the prompt than of what follows. */
  @Test
  void feeds_more_than_a_short_memory_holds() {
    byte[] prompt = "lost? no: twenty remembered...".getBytes(UTF_8);
    try (Model model = TinyModel.of(TinyModel.builder().memoryLength(20));
        NDManager manager = model.getNDManager().newSubManager()) {
      SHARNN block = SHARNN.of(model);
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNNState state = block.zeroState(manager, 1);
      NDArray logits = null;
      for (int from = 0; from < prompt.length; from += 20) {
        byte[] segment = Arrays.copyOfRange(prompt, from, Math.min(from + 20, prompt.length));
        NDArray tokens = manager.create(segment, new Shape(1, segment.length)).toType(INT64, false);
        SHARNN.Output output = block.forward(parameterStore, tokens, state, false);
        state = output.state();
        logits = output.logits().get(new NDIndex("0, -1"));
      }
      assertThat(manager.create(logitsAfter(model, prompt))).isCloseTo(logits, 1e-6);
      assertThat(logitsAfter(model, prompt))
          .isNotEqualTo(logitsAfter(model, Arrays.copyOfRange(prompt, 10, prompt.length)));
    }
  }

  @Test
  void feeds_byte_by_byte_without_memory() {
    try (Model model = TinyModel.of(TinyModel.builder());
        Model small = SHARNN.of(model).withMemoryLength(0).newModel("small")) {
      byte[] prompt = "no memory".getBytes(UTF_8);
      assertThat(logitsAfter(small, prompt))
          .isNotEqualTo(logitsAfter(model, prompt))
          .isNotEqualTo(logitsAfter(small, "memory".getBytes(UTF_8)));
    }
  }

  @Test
  void a_prompt_in_several_segments_gives_the_logits_of_one() {
    byte[] prompt = new byte[2060]; // two full segments and a short one
    new SplittableRandom(9).nextBytes(prompt);
    long[] tokens = new long[prompt.length];
    Arrays.setAll(tokens, t -> Byte.toUnsignedLong(prompt[t]));
    try (Model model = TinyModel.of(TinyModel.builder().memoryLength(3000));
        NDManager manager = model.getNDManager().newSubManager()) {
      NDArray whole = TinyModel.logits(model, manager.create(tokens, new Shape(1, tokens.length)));
      assertThat(manager.create(logitsAfter(model, prompt)))
          .isCloseTo(whole.get(new NDIndex("0, -1")), 1e-5);
    }
  }

  private static float[] logitsAfter(Model model, byte[] prompt) {
    try (TokenLoop loop = new TokenLoop(SHARNN.of(model), model.getNDManager(), null)) {
      return loop.accept(loop.forward(loop.prefill(TextVocabulary.bytes().encode(prompt))));
    }
  }

  /** Or a trained model would keep every step's activations wherever gradients are recorded. */
  @Test
  void has_no_gradient_history() {
    try (Model model = TinyModel.of(TinyModel.builder());
        TokenLoop loop = new TokenLoop(SHARNN.of(model), model.getNDManager(), null)) {
      SHARNN
          .of(model)
          .getParameters()
          .values()
          .forEach(p -> p.getArray().setRequiresGradient(true));
      try (GradientCollector recording = model.getNDManager().getEngine().newGradientCollector()) {
        NDList outputs = loop.forward(loop.prefill(new int[] {1, 2, 3}));
        assertThatThrownBy(() -> recording.backward(outputs.head().sum()))
            .isInstanceOf(EngineException.class)
            .hasMessageContaining("does not require grad");
        loop.accept(outputs);
        for (NDArray state : loop.state().toNDList()) {
          assertThatThrownBy(() -> recording.backward(state.sum()))
              .isInstanceOf(EngineException.class)
              .hasMessageContaining("does not require grad");
        }
      }
    }
  }
}
