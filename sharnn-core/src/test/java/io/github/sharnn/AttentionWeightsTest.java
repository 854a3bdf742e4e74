package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionWeightsTest {

  private static final byte[] TEXT = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
  private static final int REMEMBERED = 7;

  private static SHARNNConfig.Builder tiny() {
    return TestModels.tiny().attentionLayers(0, 2).memoryLength(REMEMBERED);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void are_what_the_naive_loops_attend_to(boolean keyProjection) {
    SHARNN block = tiny().keyProjection(keyProjection).build();
    try (Model model = block.newModel("tiny")) {
      TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 3, new Shape(1, 1));
      List<AttentionWeights> layers = AttentionWeights.of(model, TEXT);
      assertThat(layers).extracting(AttentionWeights::layer).containsExactly(0, 2);
      for (AttentionWeights layer : layers) {
        double[][] expected = naive(block, layer.layer());
        assertThat(layer.weights()).hasDimensions(TEXT.length, TEXT.length);
        for (int t = 0; t < TEXT.length; t++) {
          for (int j = 0; j < TEXT.length; j++) {
            assertThat((double) layer.weights()[t][j])
                .as("layer %s, from byte %s to byte %s", layer.layer(), t, j)
                .isCloseTo(expected[t][j], Offset.offset(1e-5));
          }
        }
      }
    }
  }

  /** Byte by byte: (T, T), 0 where nothing is seen. */
  private static double[][] naive(SHARNN model, int layer) {
    List<NaiveSharnn.State> states =
        new ArrayList<>(
            Collections.nCopies(
                model.blocks.size(), NaiveSharnn.State.zero(model.config().embeddingSize())));
    SHABlock block = model.blocks.get(layer);
    double[][] weights = new double[TEXT.length][TEXT.length];
    for (int t = 0; t < TEXT.length; t++) {
      NaiveSharnn.logits(model, new int[] {TEXT[t]}, states);
      double[][] hidden = {states.get(layer).hidden()};
      double[][] memory = states.get(layer).memory();
      double[] row =
          NaiveSharnn.weights(
              block.attention, NaiveSharnn.norm(block.norms.get("lnmid"), hidden), memory)[0];
      assertThat(row).hasSize(Math.min(t + 1, REMEMBERED));
      System.arraycopy(row, 0, weights[t], t + 1 - row.length, row.length);
    }
    return weights;
  }

  @Test
  void are_each_tokens_own_where_nothing_is_remembered() {
    SHARNN block = tiny().memoryLength(0).build();
    try (Model model = block.newModel("tiny")) {
      TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 3, new Shape(1, 1));
      for (AttentionWeights layer : AttentionWeights.of(model, new byte[] {3, 1, 4})) {
        assertThat(layer.weights()).isDeepEqualTo(new float[][] {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
      }
    }
  }

  @Test
  void of_a_model_without_attention_are_none() {
    SHARNN block = tiny().attentionLayers().build();
    try (Model model = block.newModel("tiny")) {
      TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 3, new Shape(1, 1));
      assertThat(AttentionWeights.of(model, TEXT)).isEmpty();
    }
  }

  @Test
  void need_weights_and_bytes_of_the_vocabulary() {
    SHARNN block = tiny().build();
    try (Model model = block.newModel("tiny")) {
      assertThatThrownBy(() -> AttentionWeights.of(model, TEXT))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining(
              "model tiny must have weights: train it, or load one with SHARNN.load");
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      assertThatThrownBy(() -> AttentionWeights.of(model, new byte[0]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(
              "text must have at least one token of the model's vocabulary (bytes)");
      assertThatThrownBy(() -> AttentionWeights.of(model, new byte[] {3, -1}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("(28), but byte 1 is 255");
    }
  }

  /** A model of words gives the weights of a model of bytes with the same token numbers. */
  @Test
  void are_between_the_tokens_of_the_models_vocabulary() {
    List<String> words = new ArrayList<>(List.of("<eos>", "<unk>"));
    SHARNNConfig config = tiny().build().config();
    while (words.size() < config.vocabularySize()) {
      words.add("word" + words.size());
    }
    SHARNN ofWords = SHARNN.of(config, WordVocabulary.of(words));
    SHARNN ofBytes = SHARNN.of(config);
    try (Model one = ofWords.newModel("words");
        Model other = ofBytes.newModel("bytes")) {
      TestModels.initialized(ofWords, one.getNDManager(), DataType.FLOAT32, 3, new Shape(1, 1));
      TestModels.initialized(ofBytes, other.getNDManager(), DataType.FLOAT32, 3, new Shape(1, 1));
      byte[] text = "word7 word2\nnone word9".getBytes(StandardCharsets.UTF_8);
      List<AttentionWeights> layers = AttentionWeights.of(one, text);
      List<AttentionWeights> expected = AttentionWeights.of(other, new byte[] {7, 2, 0, 1, 9});
      assertThat(layers).hasSize(2);
      for (int i = 0; i < layers.size(); i++) {
        assertThat(layers.get(i).weights()).isDeepEqualTo(expected.get(i).weights());
      }
      assertThatThrownBy(() -> AttentionWeights.of(one, new byte[] {' '}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("at least one token of the model's vocabulary (29 words)");
    }
  }
}
