package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of a run are the same under every default locale. */
class DefaultLocaleTest {

  private final Locale before = Locale.getDefault();
  @TempDir private Path folder;

  @AfterEach
  void restore() {
    Locale.setDefault(before);
  }

  /** Trains six steps in two parts, and returns the names and texts of the run's files. */
  private List<String> trainAndResume(Locale locale, String name) throws IOException {
    Locale.setDefault(locale);
    Path run = folder.resolve(name);
    Path file = folder.resolve("corpus.txt");
    Files.write(file, Tiny.text(1_000));
    for (int part = 1; part <= 2; part++) {
      try (Model model = Tiny.sharnn().dropouts(0.2f).build().newModel("tiny");
          MetricsFile metrics =
              part == 1
                  ? new MetricsFile(run.resolve("metrics.jsonl"))
                  : MetricsFile.resume(run.resolve("metrics.jsonl"), null, Checkpoint.open(run))) {
        Files.createDirectories(run);
        Tiny.trainer(model)
            .evaluationInterval(2)
            .checkpoints(CheckpointPolicy.in(run).everySteps(1).keep(2).resume())
            .onStep(metrics)
            .build()
            .fit(Corpus.open(file), Budget.steps(3 * part));
        model.save(run, "tiny");
      }
    }
    try (Stream<Path> paths = Files.walk(run)) {
      return paths
          .filter(Files::isRegularFile)
          .sorted()
          .map(path -> run.relativize(path) + "\n" + text(path))
          .toList();
    }
  }

  /** Reads a file without the figures that depend on the clock and the sums of files with them. */
  private static String text(Path path) {
    try {
      return Files.readString(path, StandardCharsets.ISO_8859_1)
          .replaceAll("\"(seconds|bytesPerSecond|nanos|time)\": ?[^,}\\n]*", "")
          .replaceAll("[0-9a-f]{64}  training.json", "");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"fa-IR", "ar-EG", "tr-TR", "th-TH-u-nu-thai", "hi-IN-u-nu-deva"})
  void a_run_writes_the_same_files(String tag) throws IOException {
    List<String> expected = trainAndResume(Locale.ROOT, "root");
    assertThat(expected)
        .extracting(text -> text.lines().findFirst().orElseThrow())
        .contains("checkpoint-1-00000006/training.json", "checkpoint-1-00000005/training.json")
        .doesNotContain("checkpoint-1-00000004/training.json");
    assertThat(trainAndResume(Locale.forLanguageTag(tag), "other")).isEqualTo(expected);
  }

  @Test
  void messages_of_every_locale_are_the_same() throws IOException {
    Corpus corpus = Tiny.corpus(folder, 12_345);
    String expected = corpus.toString();
    assertThat(expected).contains("training 11,111");
    for (Locale locale : Locale.getAvailableLocales()) {
      Locale.setDefault(locale);
      assertThat(corpus.toString()).as(locale.toLanguageTag()).isEqualTo(expected);
      assertThat(Recipe.SMALL.toString()).as(locale.toLanguageTag()).isEqualTo("small");
    }
  }
}
