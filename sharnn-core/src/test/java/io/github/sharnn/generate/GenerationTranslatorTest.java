package io.github.sharnn.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.translate.TranslateException;
import java.util.List;
import org.junit.jupiter.api.Test;

class GenerationTranslatorTest {

  @Test
  void gives_the_text_of_its_generator() throws Exception {
    try (Model model = TinyModel.of(TinyModel.builder().memoryLength(2000))) {
      SHARNNGenerator generator =
          SHARNNGenerator.builder(model).length(60).temperature(0.8f).topP(0.9f).seed(7).build();
      List<String> prompts = List.of("short", "several segments ".repeat(150));
      try (var predictor = model.newPredictor(new GenerationTranslator(generator))) {
        for (String prompt : prompts) {
          assertThat(predictor.predict(prompt)).isEqualTo(generator.generate(prompt));
        }
        assertThat(predictor.batchPredict(prompts))
            .isEqualTo(prompts.stream().map(generator::generate).toList());
      }
    }
  }

  @Test
  void leaves_no_array_behind() throws Exception {
    try (Model model = TinyModel.of(TinyModel.builder())) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(5).build();
      int before = TinyModel.liveArrays();
      try (var predictor = model.newPredictor(new GenerationTranslator(generator))) {
        predictor.predict("a");
        assertThat(TinyModel.liveArrays()).isEqualTo(before);
      }
    }
  }

  @Test
  void passes_on_what_is_wrong_with_the_prompt() {
    try (Model model = TinyModel.of(TinyModel.builder())) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).build();
      try (var predictor = model.newPredictor(new GenerationTranslator(generator))) {
        assertRejected(
            predictor,
            "",
            "prompt must have at least one token"
                + " of the model's vocabulary (bytes), but '' has none: use a longer text");
      }
    }
  }

  @Test
  void rejects_a_predictor_of_another_model() {
    try (Model model = TinyModel.of(TinyModel.builder());
        Model other = TinyModel.of(TinyModel.builder())) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).build();
      try (var predictor = other.newPredictor(new GenerationTranslator(generator))) {
        assertRejected(predictor, "a", "must hold the same SHARNN as the Predictor's");
      }
    }
  }

  private static void assertRejected(
      Predictor<String, String> predictor, String prompt, String message) {
    assertThatThrownBy(() -> predictor.predict(prompt))
        .isInstanceOf(TranslateException.class)
        .hasRootCauseInstanceOf(IllegalArgumentException.class)
        .rootCause()
        .hasMessageContaining(message);
  }
}
