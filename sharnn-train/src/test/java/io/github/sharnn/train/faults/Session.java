package io.github.sharnn.train.faults;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.SHARNN;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.MetricsFile;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A short run as {@code train} makes it, with checkpoints, metrics, a report and a model, and the
 * checks of what such a run leaves.
 */
final class Session {

  static final String METRICS = "metrics.jsonl";
  static final String REPORT = "report.html";

  private static final int KEEP = 1;

  private Session() {}

  /** Trains to a step, from the newest checkpoint if there is one. Returns the model's weights. */
  static Map<String, float[]> run(Path run, Corpus corpus, int steps) throws IOException {
    boolean resumes = Files.isDirectory(run) && !Checkpoint.list(run).isEmpty();
    Path file = run.resolve(METRICS);
    try (Model model = Tiny.sharnn().layers(1).dropouts(0.1f).build().newModel("m" + steps);
        MetricsFile metrics =
            resumes
                ? MetricsFile.resume(file, null, Checkpoint.open(run))
                : new MetricsFile(file)) {
      boolean[] begun = {false};
      Tiny.trainer(model)
          .batchSize(2)
          .sequenceLength(8)
          .evaluationInterval(2)
          .checkpoints(CheckpointPolicy.in(run).everySteps(2).keep(KEEP).resume())
          .onStep(
              report -> {
                if (!begun[0]) {
                  deleteLeftovers(run);
                  begun[0] = true;
                }
                metrics.accept(report);
                writeReport(run, report);
              })
          .build()
          .fit(corpus, Budget.steps(steps));
      model.save(run, null);
      metrics.add("test", Map.of("bitsPerCharacter", 1));
      return Tiny.weights(model.getBlock());
    }
  }

  private static void deleteLeftovers(Path run) {
    try {
      CheckedFolder.deleteUnfinished(run, List.of(METRICS, REPORT));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes the report, whose failure ends no run. */
  private static void writeReport(Path run, StepReport report) {
    if (report.evaluated()) {
      try {
        AtomicFile.write(run.resolve(REPORT), "<report>" + "x".repeat(99) + "</report>");
      } catch (IOException e) {
        assertThat(e).hasMessageContaining("injected");
      }
    }
  }

  /**
   * Checks that all of a run's files are whole, and that nothing is lost that was there before.
   *
   * @param step the step that a checkpoint must have reached, or 0 for none
   * @param logged the step that the metrics must have reached
   * @param hadModel whether there must be a model
   */
  static void assertWhole(Path run, int step, int logged, boolean hadModel) throws IOException {
    List<Path> checkpoints = Files.isDirectory(run) ? Checkpoint.list(run) : List.of();
    for (Path checkpoint : checkpoints) {
      Checkpoint.open(checkpoint);
    }
    if (step > 0) {
      assertThat(checkpoints).isNotEmpty();
      assertThat(Checkpoint.open(run).step()).isGreaterThanOrEqualTo(step);
      assertThat(steps(run)).contains(1L, (long) logged).doesNotHaveDuplicates();
    }
    if (hadModel || Files.exists(run.resolve(CheckedFolder.SUMS))) {
      try (Model model = SHARNN.load(run)) {
        assertThat(model.getName()).startsWith("m");
      } catch (MalformedModelException e) {
        throw new AssertionError(e);
      }
      assertThat(run.resolve("serving.properties")).isNotEmptyFile();
    }
    if (step > 0 || Files.exists(run.resolve(REPORT))) {
      assertThat(Files.readString(run.resolve(REPORT)))
          .startsWith("<report>")
          .endsWith("</report>");
    }
    if (hadModel || Files.exists(run.resolve("README.md"))) {
      assertThat(Files.readString(run.resolve("README.md"))).startsWith("---").contains("sha256");
    }
  }

  /** Returns the steps in the metrics. A last line may be cut. */
  private static List<Long> steps(Path run) throws IOException {
    List<Long> steps = new ArrayList<>();
    String text = new String(Files.readAllBytes(run.resolve(METRICS)), StandardCharsets.UTF_8);
    for (String line : text.lines().toList()) {
      try {
        JsonObject object = JsonParser.parseString(line).getAsJsonObject();
        if (object.has("step")) {
          steps.add(object.get("step").getAsLong());
        }
      } catch (RuntimeException e) {
        assertThat(line).isNotEmpty(); // cut or zeros
      }
    }
    return steps;
  }

  /** Returns the arrays of the newest checkpoint, as bytes by file name. */
  static Map<String, String> arrays(Path run) throws IOException {
    Map<String, String> arrays = new HashMap<>();
    try (Stream<Path> files = Files.list(Checkpoint.open(run).folder())) {
      for (Path file : files.toList()) {
        if (file.toString().endsWith(".safetensors")) {
          arrays.put(
              file.getFileName().toString(),
              new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1));
        }
      }
    }
    assertThat(arrays).hasSizeGreaterThan(2);
    return arrays;
  }

  /** Checks that nothing is left over. */
  static void assertTidy(Path run) throws IOException {
    if (Files.notExists(run)) {
      throw new NoSuchFileException(run.toString());
    }
    try (Stream<Path> files = Files.list(run)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .filteredOn(name -> name.startsWith("."))
          .containsExactly(".lock");
    }
    // one more if the last save of the killed process could not delete it
    assertThat(Checkpoint.list(run)).hasSizeBetween(KEEP, KEEP + 1);
  }
}
