package io.github.sharnn.generate;

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
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TokenLoopTest {

  @Test
  void feeds_the_last_memory_length_bytes_of_the_prompt() {
    try (Model model = TinyModel.of(TinyModel.builder().memoryLength(20))) {
      assertThat(logitsAfter(model, "lost twenty remembered...".getBytes(UTF_8)))
          .isEqualTo(logitsAfter(model, "twenty remembered...".getBytes(UTF_8)))
          .isNotEqualTo(logitsAfter(model, "wenty remembered...".getBytes(UTF_8)));
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
      NDArray whole =
          SHARNN
              .of(model)
              .forward(
                  new ParameterStore(manager, false),
                  new NDList(manager.create(tokens, new Shape(1, tokens.length))),
                  false)
              .singletonOrThrow();
      assertThat(manager.create(logitsAfter(model, prompt)))
          .isCloseTo(whole.get(new NDIndex("0, -1")), 1e-5);
    }
  }

  private static float[] logitsAfter(Model model, byte[] prompt) {
    try (TokenLoop loop = new TokenLoop(SHARNN.of(model), model.getNDManager())) {
      return loop.accept(loop.forward(loop.prefill(prompt)));
    }
  }

  /** Or a trained model would keep every step's activations wherever gradients are recorded. */
  @Test
  void has_no_gradient_history() {
    try (Model model = TinyModel.of(TinyModel.builder());
        TokenLoop loop = new TokenLoop(SHARNN.of(model), model.getNDManager())) {
      SHARNN
          .of(model)
          .getParameters()
          .values()
          .forEach(p -> p.getArray().setRequiresGradient(true));
      try (GradientCollector recording = model.getNDManager().getEngine().newGradientCollector()) {
        NDList outputs = loop.forward(loop.prefill(new byte[] {1, 2, 3}));
        assertThatThrownBy(() -> recording.backward(outputs.head().sum()))
            .isInstanceOf(EngineException.class)
            .hasMessageContaining("does not require grad");
        loop.accept(outputs);
        for (NDArray state : loop.inputs((byte) 4).subNDList(1)) {
          assertThatThrownBy(() -> recording.backward(state.sum()))
              .isInstanceOf(EngineException.class)
              .hasMessageContaining("does not require grad");
        }
      }
    }
  }
}
