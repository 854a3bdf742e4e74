package io.github.sharnn.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Blocks;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SHARNNGeneratorTest extends TinyModelTest {

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 40})
  void agrees_with_running_the_whole_text_anew_for_each_byte(int topK) {
    byte[] prompt = "hello".getBytes(UTF_8);
    byte[] generated =
        bytes(SHARNNGenerator.builder(model).seed(42).length(15).topK(topK).build(), prompt);
    assertThat(generated).isEqualTo(rerun(model, prompt, 15, new Sampler(1, topK, 1), 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 1000})
  void penalizes_the_last_bytes_of_prompt_and_text(int window) {
    byte[] prompt = "hello".getBytes(UTF_8);
    SHARNNGenerator generator =
        SHARNNGenerator.builder(model)
            .seed(42)
            .length(15)
            .minP(0.01f)
            .repetitionPenalty(3)
            .repetitionWindow(window)
            .build();
    Sampler sampler = new Sampler(1, 0, 1, 0.01f, 3);
    assertThat(bytes(generator, prompt)).isEqualTo(rerun(model, prompt, 15, sampler, window));
    assertThat(rerun(model, prompt, 15, sampler, 3))
        .isNotEqualTo(rerun(model, prompt, 15, sampler, 0))
        .isNotEqualTo(rerun(model, prompt, 15, sampler, 1000));
  }

  @Test
  void the_same_seed_gives_the_same_text_and_another_another() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).length(60).seed(1).build();
    String text = generator.generate("a");
    assertThat(generator.generate("a")).isEqualTo(text);
    assertThat(SHARNNGenerator.builder(model).length(60).seed(1).build().generate("a"))
        .isEqualTo(text);
    assertThat(SHARNNGenerator.builder(model).length(60).seed(2).build().generate("a"))
        .isNotEqualTo(text);
  }

  @Test
  void each_text_has_a_new_seed_unless_one_is_set() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).length(60).build();
    assertThat(generator.generate("a")).isNotEqualTo(generator.generate("a"));
    assertThat(generator.generateAll(List.of("a", "a", "a"))).doesNotHaveDuplicates();
    try (GeneratedText text = generator.iterate("a")) {
      StringBuilder whole = new StringBuilder();
      text.forEachRemaining(whole::append);
      assertThat(generator.toBuilder().seed(text.seed()).build().generate("a"))
          .isEqualTo(whole.toString());
      assertThat(text.seed()).isBetween(0L, 1L << 53);
    }
    try (GeneratedText text = generator.toBuilder().seed(-7).build().iterate("a")) {
      assertThat(text.seed()).isEqualTo(-7);
    }
  }

  @Test
  void a_builder_of_a_generator_has_all_its_options() {
    SHARNNGenerator generator =
        SHARNNGenerator.builder(model)
            .length(9)
            .temperature(0.7f)
            .topK(5)
            .topP(0.9f)
            .minP(0.1f)
            .repetitionPenalty(1.1f)
            .repetitionWindow(3)
            .seed(6)
            .stop("ab", "c")
            .precision(DataType.FLOAT64)
            .build();
    assertThat(generator.toBuilder().build().options()).isEqualTo(generator.options());
    assertThat(generator.toBuilder().stop().build().options().stops()).isEmpty();
  }

  @Test
  void a_callback_ends_the_text_by_its_return_value() {
    int before = TinyModel.liveArrays();
    SHARNNGenerator generator = SHARNNGenerator.builder(model).length(60).seed(1).build();
    List<String> all = new ArrayList<>();
    generator.generate("a", all::add);
    List<String> some = new ArrayList<>();
    boolean ended =
        generator.generateWhile(
            "a",
            piece -> {
              some.add(piece);
              return some.size() < 7;
            });
    assertThat(ended).isFalse();
    assertThat(some).isEqualTo(all.subList(0, 7));
    some.clear();
    assertThat(generator.generateWhile("a", some::add)).isTrue();
    assertThat(some).isEqualTo(all);
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  @Test
  void options_have_the_documented_defaults() {
    byte[] prompt = {'a'};
    SHARNNGenerator spelledOut =
        SHARNNGenerator.builder(model)
            .length(40)
            .temperature(1)
            .topK(0)
            .topP(1)
            .minP(0)
            .repetitionPenalty(1)
            .seed(42)
            .build();
    byte[] generated = bytes(SHARNNGenerator.builder(model).seed(42).build(), prompt);
    assertThat(generated).hasSize(400).startsWith(bytes(spelledOut, prompt));
  }

  @Test
  void stops_right_after_the_stop_text() {
    byte[] prompt = "a".getBytes(UTF_8);
    try (Model ascii = TinyModel.of(TinyModel.builder().vocabularySize(128))) {
      String text = SHARNNGenerator.builder(ascii).seed(42).length(60).build().generate("a");
      String stop = text.substring(30, 33);
      SHARNNGenerator generator =
          SHARNNGenerator.builder(ascii).seed(42).length(60).stop(stop).build();
      int end = text.indexOf(stop) + stop.length();
      assertThat(generator.generate("a")).isEqualTo(text.substring(0, end));
      assertThat(generator.generate(prompt, value -> {})).isEqualTo(end).isLessThan(60);
      String earlier = text.substring(20, 23);
      String first = generator.toBuilder().stop(stop, earlier).build().generate("a");
      assertThat(first)
          .isEqualTo(text.substring(0, Math.min(end, text.indexOf(earlier) + earlier.length())));
    }
  }

  @Test
  void text_comes_in_whole_characters_that_join_to_the_decoded_bytes() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(80).build();
    List<String> pieces = new ArrayList<>();
    generator.generate("ü", pieces::add);
    String expected = new String(bytes(generator, "ü".getBytes(UTF_8)), UTF_8);
    assertThat(String.join("", pieces)).isEqualTo(expected);
    assertThat(generator.generate("ü")).isEqualTo(expected);
    assertThat(pieces).hasSizeGreaterThan(20).doesNotContain("");
  }

  @Test
  void native_arrays_stay_flat_far_past_memory_length() {
    List<Integer> counts = arrayCounts();
    assertThat(counts).hasSize(500);
    assertThat(counts.get(499)).isEqualTo(counts.get(49));
  }

  @Test
  void reads_logits_of_another_type() {
    try (Model doubles = TinyModel.of(TinyModel.builder(), DataType.FLOAT64, 0.7f)) {
      byte[] prompt = "hello".getBytes(UTF_8);
      assertThat(bytes(SHARNNGenerator.builder(doubles).seed(42).length(15).build(), prompt))
          .isEqualTo(rerun(doubles, prompt, 15, new Sampler(), 0));
    }
  }

  @Test
  void leaves_no_array_behind_even_if_the_callback_throws() {
    int before = TinyModel.liveArrays();
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(5).build();
    generator.generate("a");
    assertThatThrownBy(
            () ->
                generator.generate(
                    "a",
                    piece -> {
                      throw new UnsupportedOperationException("full");
                    }))
        .hasMessage("full");
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  @Test
  void rejects_bad_options() {
    assertRejected(
        SHARNNGenerator.builder(model).seed(42).length(0), "length must be at least 1 token");
    assertRejected(SHARNNGenerator.builder(model).seed(42).stop(""), "stop must not be empty");
    assertRejected(SHARNNGenerator.builder(model).stop("a", ""), "stop must not be empty");
    assertThatThrownBy(() -> SHARNNGenerator.builder(model).stop("a", null))
        .hasMessageContaining("stop must not be null");
    assertRejected(
        SHARNNGenerator.builder(model).seed(42).temperature(0), "temperature must be above 0");
    assertRejected(SHARNNGenerator.builder(model).seed(42).topK(-1), "topK must be at least 0");
    assertRejected(
        SHARNNGenerator.builder(model).seed(42).topP(2), "topP must be above 0 and at most 1");
    assertRejected(SHARNNGenerator.builder(model).seed(42).minP(2), "minP must be between 0 and 1");
    assertRejected(
        SHARNNGenerator.builder(model).seed(42).repetitionPenalty(0),
        "repetitionPenalty must be above 0");
    assertRejected(
        SHARNNGenerator.builder(model).seed(42).repetitionWindow(-1),
        "repetitionWindow must be at least 0");
  }

  @Test
  void rejects_a_model_it_cannot_read() {
    try (Model words = TinyModel.of(TinyModel.builder().vocabularySize(257));
        Model other = Model.newInstance("other", "PyTorch")) {
      other.setBlock(Blocks.identityBlock());
      assertRejected(
          SHARNNGenerator.builder(words).seed(42),
          "vocabularySize of at most 256, since its tokens");
      assertRejected(
          SHARNNGenerator.builder(other).seed(42), "model other must hold a SHARNN block");
    }
  }

  @Test
  void rejects_a_model_without_weights() {
    try (Model empty = TinyModel.builder().build().newModel("empty")) {
      assertThatThrownBy(() -> SHARNNGenerator.builder(empty).seed(42).build().generate("a"))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("model empty must have weights");
    }
  }

  /** It is no error: the model keeps what it would keep of such a text. */
  @Test
  void takes_a_prompt_longer_than_the_window() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(20).build();
    String last = "the last 1024 bytes".repeat(60).substring(0, 1024);
    assertThat(generator.generate("lost ".repeat(200) + last)).isEqualTo(generator.generate(last));
  }

  @Test
  void rejects_a_bad_prompt() {
    try (Model ascii = TinyModel.of(TinyModel.builder().vocabularySize(128))) {
      SHARNNGenerator generator = SHARNNGenerator.builder(ascii).seed(42).build();
      assertThatThrownBy(() -> generator.generate(""))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(
              "prompt must have at least one token"
                  + " of the model's vocabulary (bytes), but '' has none: use a longer text");
      assertThatThrownBy(() -> generator.generate("fuß"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("vocabularySize - 1 (127), but byte 2 is 195");
    }
  }

  private static void assertRejected(SHARNNGenerator.Builder builder, String message) {
    assertThatThrownBy(builder::build)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  /** The number of live arrays in the process after each of 500 bytes. */
  private List<Integer> arrayCounts() {
    List<Integer> counts = new ArrayList<>();
    SHARNNGenerator.builder(model)
        .seed(42)
        .length(500)
        .build()
        .generate(new byte[] {'a'}, value -> counts.add(TinyModel.liveArrays()));
    return counts;
  }

  private static byte[] bytes(SHARNNGenerator generator, byte[] prompt) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    assertThat(generator.generate(prompt, bytes::write)).isEqualTo(bytes.size());
    return bytes.toByteArray();
  }

  private static float[] lastLogits(NDArray logits) {
    return logits.get(new NDIndex("0, -1")).toType(DataType.FLOAT32, false).toFloatArray();
  }

  /** Without state: prompt and output through the model once for each byte. */
  private static byte[] rerun(Model model, byte[] prompt, int length, Sampler sampler, int window) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    text.writeBytes(prompt);
    SplittableRandom random = new SplittableRandom(42);
    for (int i = 0; i < length; i++) {
      try (NDManager manager = model.getNDManager().newSubManager()) {
        byte[] bytes = text.toByteArray();
        int[] tokens = new int[bytes.length];
        for (int t = 0; t < tokens.length; t++) {
          tokens[t] = bytes[t] & 0xFF;
        }
        NDArray logits =
            TinyModel.logits(model, manager.create(tokens, new Shape(1, tokens.length)));
        int[] recent =
            Arrays.copyOfRange(tokens, Math.max(tokens.length - window, 0), tokens.length);
        text.write(sampler.sample(lastLogits(logits), random, recent));
      }
    }
    byte[] all = text.toByteArray();
    return Arrays.copyOfRange(all, prompt.length, all.length);
  }
}
