package io.github.sharnn.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.TestModels;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class QuantizationLossTest {

  private static Model model() {
    SHARNN block = TestModels.tiny().build();
    Model model = block.newModel("tiny");
    TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 3, new Shape(1, 1));
    return model;
  }

  @Test
  void is_small_and_above_0_on_the_models_own_text() {
    try (Model model = model()) {
      QuantizationLoss loss = QuantizationLoss.onOwnText(model, 500);
      assertThat(loss.tokens()).isEqualTo(500);
      assertThat(loss.float32()).isBetween(1.0, Math.log(TestModels.VOCABULARY) / Math.log(2));
      assertThat(loss.difference()).isNotZero().isBetween(-0.01, 0.01);
    }
  }

  @Test
  void scores_a_text_as_the_scorer_does() {
    try (Model model = model()) {
      byte[] text = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9};
      QuantizationLoss loss = QuantizationLoss.on(model, text);
      double bits = 0;
      Scorer scorer = Scorer.builder(model).context(text[0]).build();
      for (TokenScore token : scorer.score(Arrays.copyOfRange(text, 1, 15)).tokens()) {
        bits -= token.logProbability() / Math.log(2);
      }
      assertThat(loss.tokens()).isEqualTo(14);
      assertThat(loss.float32()).isCloseTo(bits / 14, within(1e-4));
    }
  }

  @Test
  void rejects_too_short_a_text() {
    try (Model model = model()) {
      assertThatThrownBy(() -> QuantizationLoss.on(model, new byte[] {1}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("text must have at least two tokens, but has 1");
      assertThatThrownBy(() -> QuantizationLoss.onOwnText(model, 0))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
