package io.github.sharnn.generate;

import static io.github.sharnn.NDArrayAssert.assertThat;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PromptBatchTest {

  /** Lengths that differ, that are equal, that need more than one segment, up to the memory's. */
  @Test
  void each_prompt_gives_what_it_gives_alone() {
    assertEachAsAlone(TinyModel.builder().memoryLength(400), 400, 400, 399, 37, 37, 12, 2, 1, 1);
  }

  @Test
  void with_attention_in_every_layer() {
    SHARNNConfig.Builder builder = TinyModel.builder().attentionLayers(0, 1).keyProjection(true);
    assertEachAsAlone(builder.valueProjection(true).memoryLength(20), 20, 19, 7, 7, 3);
  }

  @Test
  void without_attention() {
    assertEachAsAlone(TinyModel.builder().attentionLayers().memoryLength(90), 90, 90, 4, 1);
  }

  private static void assertEachAsAlone(SHARNNConfig.Builder builder, int... lengths) {
    Random random = new Random(3);
    List<int[]> prompts =
        IntStream.of(lengths).mapToObj(length -> random.ints(length, 0, 256).toArray()).toList();
    try (Model model = TinyModel.of(builder);
        NDManager manager = model.getNDManager().newSubManager();
        PromptBatch batch = new PromptBatch(SHARNN.of(model), manager, prompts)) {
      List<PromptBatch.Result> results = batch.read();
      assertThat(results).hasSameSizeAs(prompts);
      for (int i = 0; i < lengths.length; i++) {
        try (TokenLoop alone = new TokenLoop(SHARNN.of(model), manager, null)) {
          float[] logits = alone.accept(alone.forward(alone.prefill(prompts.get(i))));
          assertThat(manager.create(results.get(i).logits()))
              .isCloseTo(manager.create(logits), 1e-5);
          NDList state = results.get(i).state().toNDList();
          NDList expected = alone.state().toNDList();
          assertThat(state).hasSameSizeAs(expected);
          for (int j = 0; j < expected.size(); j++) {
            assertThat(state.get(j)).isCloseTo(expected.get(j), 1e-5);
          }
        }
      }
    }
  }
}
