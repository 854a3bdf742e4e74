package io.github.sharnn.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import com.google.common.primitives.Ints;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Models whose tokens are several bytes. */
class WordGenerationTest {

  private static final WordVocabulary WORDS =
      WordVocabulary.of(List.of("the", "<eos>", "old", "\u00e9t\u00e9", "<unk>", "man", "went"));

  private static SHARNNConfig.Builder words() {
    return TinyModel.builder().vocabulary(WORDS);
  }

  /** Generates by running the whole text anew for each token. */
  private static String rerun(Model model, String prompt, int length, Sampler sampler, int window) {
    int[] tokens = WORDS.encode(prompt);
    int before = WORDS.decode(tokens).length;
    SplittableRandom random = new SplittableRandom(42);
    for (int i = 0; i < length; i++) {
      try (NDManager manager = model.getNDManager().newSubManager()) {
        NDArray input = manager.create(tokens, new Shape(1, tokens.length));
        float[] logits = TinyModel.logits(model, input).get(new NDIndex("0, -1")).toFloatArray();
        int[] recent =
            Arrays.copyOfRange(tokens, Math.max(tokens.length - window, 0), tokens.length);
        tokens = Ints.concat(tokens, new int[] {sampler.sample(logits, random, recent)});
      }
    }
    byte[] text = WORDS.decode(tokens);
    return new String(text, before, text.length - before, UTF_8);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void agrees_with_running_the_whole_text_anew_for_each_token(boolean split) throws Exception {
    SHARNNConfig.Builder options = split ? words().splits(2, 4) : words();
    try (Model model = TinyModel.of(options)) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(15).build();
      String text = rerun(model, "the old", 15, new Sampler(1, 0, 1), 0);
      assertThat(text).startsWith(text.startsWith("\n") ? "\n" : " ");
      assertThat(generator.generate("the old")).isEqualTo(text);
      assertThat(generator.generateAll(List.of("the old", "man"))).startsWith(text);
      try (Stream<String> pieces = generator.stream("the old")) {
        assertThat(String.join("", pieces.toList())).isEqualTo(text);
      }
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      assertThat(generator.generate("the old".getBytes(UTF_8), bytes::write))
          .isEqualTo(bytes.size())
          .isEqualTo(text.getBytes(UTF_8).length);
      assertThat(bytes.toString(UTF_8)).isEqualTo(text);
      try (Predictor<String, String> predictor =
          model.newPredictor(new GenerationTranslator(generator))) {
        assertThat(predictor.predict("the old")).isEqualTo(text);
      }
    }
  }

  @Test
  void length_and_repetition_window_are_in_tokens() {
    try (Model model = TinyModel.of(words())) {
      SHARNNGenerator.Builder options =
          SHARNNGenerator.builder(model).seed(42).length(12).repetitionPenalty(4);
      Sampler sampler = new Sampler(1, 0, 1, 0, 4);
      String text = rerun(model, "the man went", 12, sampler, 3);
      assertThat(options.repetitionWindow(3).build().generate("the man went")).isEqualTo(text);
      assertThat(WORDS.encode(text)).hasSize(12);
      assertThat(text).isNotEqualTo(rerun(model, "the man went", 12, sampler, 64));
    }
  }

  @Test
  void ends_right_after_the_stop_text_also_within_a_token() {
    try (Model model = TinyModel.of(words())) {
      SHARNNGenerator.Builder options = SHARNNGenerator.builder(model).seed(42).length(200);
      String text = options.build().generate("the");
      for (String stop : List.of("ma", "\u00e9t", "old ")) {
        assertThat(text).contains(stop);
        assertThat(options.stop(stop).build().generate("the"))
            .isEqualTo(text.substring(0, text.indexOf(stop) + stop.length()));
      }
    }
  }

  @Test
  void a_prompt_that_ends_with_a_space_gets_no_second_one() {
    try (Model model = TinyModel.of(words())) {
      for (int seed = 0; seed < 20; seed++) {
        SHARNNGenerator generator = SHARNNGenerator.builder(model).length(5).seed(seed).build();
        String text = generator.generate("the old");
        assertThat(generator.generate("the old ")).isEqualTo(text.replaceFirst("^ ", ""));
        assertThat(generator.generate("the old\n")).doesNotStartWith(" ");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'', 'the model''s vocabulary (7 words), but '''' has none'",
    "'  ', 'the model''s vocabulary (7 words), but ''  '' has none'"
  })
  void rejects_a_prompt_without_tokens(String prompt, String message) {
    try (Model model = TinyModel.of(words())) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).build();
      assertThatThrownBy(() -> generator.generate(prompt))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(message);
      assertThatThrownBy(() -> generator.generateAll(List.of(prompt)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(message);
    }
  }
}
