package io.github.sharnn.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GenerationBatchTest extends TinyModelTest {

  /**
   * Prompts of 1 to 60 bytes, a memory of 20, texts of 1 to 50 bytes: some wait, some end early.
   */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 64})
  void each_prompt_gets_the_bytes_of_its_own_generator(int streams) {
    GenerationBatch batch = GenerationBatch.of(model).streams(streams);
    List<byte[]> expected = new ArrayList<>();
    List<ByteArrayOutputStream> actual = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      SHARNNGenerator generator =
          SHARNNGenerator.builder(model)
              .length(1 + 7 * i % 50)
              .seed(i)
              .temperature(0.5f + 0.2f * i)
              .topK(i % 2 * 30)
              .topP(i % 3 == 0 ? 0.8f : 1)
              .repetitionPenalty(i % 4 == 0 ? 1.5f : 1)
              .build();
      byte[] prompt = "a".repeat(1 + i * i % 60).concat("prompt " + i).getBytes(UTF_8);
      ByteArrayOutputStream alone = new ByteArrayOutputStream();
      generator.generate(prompt, alone::write);
      expected.add(alone.toByteArray());
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      batch.add(generator, prompt, bytes::write);
      actual.add(bytes);
    }
    batch.run();
    for (int i = 0; i < expected.size(); i++) {
      assertThat(actual.get(i).toByteArray()).as("prompt %s", i).isEqualTo(expected.get(i));
    }
  }

  @Test
  void a_list_of_prompts_gets_the_texts_of_following_seeds() {
    List<String> prompts = List.of("same", "same", "another one", "ü");
    List<String> texts =
        SHARNNGenerator.builder(model).length(40).seed(5).build().generateAll(prompts);
    assertThat(texts)
        .isEqualTo(
            IntStream.range(0, prompts.size())
                .mapToObj(
                    i ->
                        SHARNNGenerator.builder(model)
                            .length(40)
                            .seed(5 + i)
                            .build()
                            .generate(prompts.get(i)))
                .toList())
        .doesNotHaveDuplicates();
  }

  @Test
  void a_stop_text_ends_its_own_prompt_alone() {
    try (Model ascii = TinyModel.of(TinyModel.builder().vocabularySize(128))) {
      SHARNNGenerator endless = SHARNNGenerator.builder(ascii).seed(42).length(60).build();
      String text = endless.generate("a");
      String stop = text.substring(30, 33);
      SHARNNGenerator stopping =
          SHARNNGenerator.builder(ascii).seed(42).length(60).stop(stop).build();
      StringBuilder first = new StringBuilder();
      StringBuilder second = new StringBuilder();
      GenerationBatch.of(ascii)
          .add(stopping, "a", first::append)
          .add(endless, "a", second::append)
          .run();
      assertThat(first).hasToString(text.substring(0, text.indexOf(stop) + stop.length()));
      assertThat(second).hasToString(text);
    }
  }

  @Test
  void nothing_to_do_is_done_at_once_and_a_batch_can_be_filled_again() {
    GenerationBatch batch = GenerationBatch.of(model);
    batch.run();
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(5).build();
    StringBuilder text = new StringBuilder();
    batch.add(generator, "a", text::append).run();
    batch.run();
    assertThat(text).hasToString(generator.generate("a"));
  }

  @Test
  void a_callback_may_add_a_prompt() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(6).build();
    GenerationBatch batch = GenerationBatch.of(model);
    StringBuilder added = new StringBuilder();
    batch
        .add(
            SHARNNGenerator.builder(model).seed(42).length(1).build(),
            "a".getBytes(UTF_8),
            next -> batch.add(generator, "b", added::append))
        .add(
            SHARNNGenerator.builder(model).seed(42).length(2).topK(1).build(),
            "a longer one".getBytes(UTF_8),
            next -> batch.add(generator, "c", piece -> {}))
        .run();
    assertThat(added).hasToString(generator.generate("b"));
  }

  @Test
  void a_callback_that_cancels_ends_its_own_text_alone() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(30).build();
    for (int after : new int[] {1, 4}) {
      List<Byte> some = new ArrayList<>();
      ByteArrayOutputStream whole = new ByteArrayOutputStream();
      GenerationBatch.of(model)
          .add(
              generator,
              "a".getBytes(UTF_8),
              next -> {
                some.add(next);
                if (some.size() == after) {
                  throw new CancellationException("enough");
                }
              })
          .add(generator, "b".getBytes(UTF_8), whole::write)
          .run();
      assertThat(some).hasSize(after);
      ByteArrayOutputStream alone = new ByteArrayOutputStream();
      generator.generate("b".getBytes(UTF_8), alone::write);
      assertThat(whole.toByteArray()).isEqualTo(alone.toByteArray());
    }
  }

  @Test
  void a_callback_that_returns_false_ends_its_own_text_alone() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).length(30).seed(42).build();
    List<String> all = new ArrayList<>();
    generator.generate("a", all::add);
    for (int after : new int[] {1, 4, all.size()}) {
      List<String> some = new ArrayList<>();
      StringBuilder whole = new StringBuilder();
      GenerationBatch.of(model)
          .addWhile(
              generator,
              "a",
              piece -> {
                some.add(piece);
                return some.size() < after;
              })
          .addWhile(generator, "b", piece -> whole.append(piece).length() > 0)
          .run();
      assertThat(some).isEqualTo(all.subList(0, after));
      assertThat(whole).hasToString(generator.generate("b"));
    }
  }

  @Test
  void leaves_no_array_behind_even_if_a_callback_throws() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(5).build();
    int before = TinyModel.liveArrays();
    GenerationBatch batch = GenerationBatch.of(model);
    batch.add(generator, "a", piece -> {}).add(generator, "b", piece -> {}).run();
    batch
        .add(generator, "a", piece -> {})
        .add(
            generator,
            "b",
            piece -> {
              throw new UnsupportedOperationException("full");
            });
    assertThatThrownBy(batch::run).hasMessage("full");
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  @Test
  void rejects_what_it_cannot_generate() {
    SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(5).build();
    GenerationBatch batch = GenerationBatch.of(model);
    assertThatThrownBy(() -> batch.streams(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("streams must be at least 1, but is 0");
    assertThatThrownBy(() -> batch.add(generator, "", piece -> {}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "prompt must have at least one token"
                + " of the model's vocabulary (bytes), but '' has none: use a longer text");
    try (Model other = SHARNN.of(model).withMemoryLength(3).newModel("other")) {
      GenerationBatch others = GenerationBatch.of(other);
      assertThatThrownBy(() -> others.add(generator, "a", piece -> {}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(
              "the generator's model (tiny) must hold the same SHARNN as the batch's (other)");
    }
    String precision = "precision must be INT8, FLOAT16, FLOAT32 or FLOAT64, but is bfloat16";
    assertThatThrownBy(() -> batch.precision(DataType.BFLOAT16))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(precision);
    assertThatThrownBy(() -> SHARNNGenerator.builder(model).seed(42).precision(DataType.BFLOAT16))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(precision);
  }
}
