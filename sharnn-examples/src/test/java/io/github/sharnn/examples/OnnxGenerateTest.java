package io.github.sharnn.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models of words and subwords in the example that has ONNX Runtime alone. */
class OnnxGenerateTest {

  private static final List<String> MORE = List.of("24", "9", "2"); // length, seed, temperature

  @TempDir Path folder;

  @BeforeEach
  void write_corpus() throws Exception {
    Files.writeString(folder.resolve("corpus"), "caf\u00e9 abcd\nefgh ijkl mnop .\n".repeat(90));
  }

  /** Trains a model, and returns it as ONNX. */
  private Path export(String vocabulary, Object... more) {
    Path model = folder.resolve("model");
    List<Object> args = new ArrayList<>(List.of("train", "--corpus", folder.resolve("corpus")));
    args.addAll(List.of("--output", model, "--vocabulary", vocabulary, "--steps", 2));
    args.addAll(List.of("--embedding-size", 16, "--boom-size", 32, "--memory-length", 32));
    args.addAll(List.of("--batch-size", 4, "--sequence-length", 16));
    args.addAll(List.of(more));
    assertThat(Outcome.run(args.toArray()).err()).isEmpty();
    Path file = folder.resolve("model.onnx");
    assertThat(Outcome.run("export", model, "--output", file).code()).isZero();
    return file;
  }

  private static String rejection(String... args) {
    return catchThrowableOfType(IllegalArgumentException.class, () -> OnnxGenerate.generate(args))
        .getMessage();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void words_are_those_of_generate(boolean split) throws Exception {
    Path file = split ? export("words", "--splits", "3") : export("words");
    for (String prompt : List.of("abcd  zzz\nefgh", "abcd ", "ijkl\n\n")) {
      List<Object> args = new ArrayList<>(List.of("generate", folder.resolve("model")));
      args.addAll(List.of("--prompt", prompt, "--length", MORE.get(0)));
      args.addAll(List.of("--seed", MORE.get(1), "--temperature", MORE.get(2)));
      Outcome ours = Outcome.run(args.toArray());
      assertThat(ours.code()).isZero();
      String[] same = {file.toString(), prompt, MORE.get(0), MORE.get(1), MORE.get(2)};
      Outcome theirs =
          Outcome.capture(
              () -> {
                OnnxGenerate.generate(same);
                return 0;
              });
      assertThat(theirs.out())
          .isEqualTo(ours.out())
          .startsWith(prompt)
          .hasSizeGreaterThan(prompt.length() + 24);
      assertThat(theirs.code()).isZero();
    }
    assertThat(rejection(file.toString(), "  "))
        .isEqualTo("the prompt must have at least one word");
    assertThat(rejection(file.toString())).startsWith("usage: ");
  }

  @Test
  void subwords_are_rejected_with_the_way_out() throws Exception {
    assertThat(rejection(export("bpe:260").toString(), "abcd"))
        .contains("must be bytes or words, but is a tokenizer: use a library");
  }
}
