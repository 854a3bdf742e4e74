package io.github.sharnn.cli.faults;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.report.RunIdentity;
import io.github.sharnn.cli.report.RunLog;
import io.github.sharnn.cli.report.RunMetrics;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.MetricsFile;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.Evaluation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * A short run as {@code train} makes it, with checkpoints, metrics, a report and a model, and the
 * checks of what such a run leaves.
 */
final class Session {

  private static final String REPORT = "report.html";
  private static final int CORPUS = 400; // bytes
  private static final int KEEP = 1;

  private Session() {}

  /** Writes words in an order that only some context predicts. */
  static Corpus corpus(Path folder) throws IOException {
    String[] words = {"single ", "headed ", "attention ", "stop ", "thinking "};
    StringBuilder text = new StringBuilder();
    Random random = new Random(1);
    while (text.length() < CORPUS) {
      text.append(words[random.nextInt(words.length)]);
    }
    return Corpus.open(Files.writeString(folder.resolve("corpus.txt"), text));
  }

  /** Trains to a step, from the newest checkpoint if there is one. Returns the model's weights. */
  static Map<String, float[]> run(Path run, Corpus corpus, int steps) throws IOException {
    boolean resumes = Files.isDirectory(run) && !Checkpoint.list(run).isEmpty();
    Path file = run.resolve(RunMetrics.FILE);
    SHARNN block =
        SHARNN
            .builder()
            .vocabularySize(128)
            .embeddingSize(8)
            .boomSize(16)
            .layers(1)
            .attentionLayers(0)
            .memoryLength(64)
            .dropouts(0.1f)
            .build();
    try (Model model = block.newModel("m" + steps);
        RunLog log =
            new RunLog(
                new RunIdentity("7", run),
                resumes
                    ? MetricsFile.resume(file, null, Checkpoint.open(run))
                    : new MetricsFile(file),
                file,
                model,
                new byte[0], // no sample and no heat map, which take time but no file
                Map.of("steps", steps))) {
      SHARNNTrainer.builder(model)
          .batchSize(2)
          .sequenceLength(8)
          .evaluationInterval(2)
          .checkpoints(CheckpointPolicy.in(run).everySteps(2).keep(KEEP).resume())
          .onStep(log)
          .build()
          .fit(corpus, Budget.steps(steps));
      model.save(run, null);
      log.test(Evaluation.of(model, corpus.test()));
      Map<String, float[]> weights = new HashMap<>();
      for (Pair<String, Parameter> pair : model.getBlock().getParameters()) {
        weights.put(pair.getKey(), pair.getValue().getArray().toFloatArray());
      }
      return weights;
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
          .startsWith("<!DOCTYPE html>")
          .contains("<h2>Curves</h2>", "<script type=\"application/json\"")
          .endsWith("</html>\n");
    }
    if (hadModel || Files.exists(run.resolve("README.md"))) {
      assertThat(Files.readString(run.resolve("README.md"))).startsWith("---").contains("sha256");
    }
  }

  /** Returns the steps in the metrics. A last line may be cut. */
  private static List<Long> steps(Path run) throws IOException {
    List<Long> steps = new ArrayList<>();
    String text =
        new String(Files.readAllBytes(run.resolve(RunMetrics.FILE)), StandardCharsets.UTF_8);
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
