package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Training on a cluster of a master and two workers. {@link TrainingClusterJob} runs on it once,
 * and each test looks at a part of its results.
 */
@EnabledOnOs(OS.LINUX) // for /proc and the signals
class TrainingIT {

  private static final int BYTES = 40_000;

  @TempDir private static Path folder;

  @BeforeAll
  static void run_the_job() throws Exception {
    Files.write(folder.resolve("corpus.txt"), text());
    try (LocalCluster cluster = new LocalCluster(folder, 2)) {
      List<String> options =
          List.of(
              "--conf", "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
      cluster.submit("job", TrainingClusterJob.class, 5, options, List.of(folder.toString()));
    }
  }

  /** Words in an order that only some context predicts. */
  private static byte[] text() {
    String[] words = {"single ", "headed ", "attention ", "stop ", "thinking\n"};
    StringBuilder text = new StringBuilder();
    Random random = new Random(1);
    while (text.length() < BYTES) {
      text.append(words[random.nextInt(words.length)]);
    }
    return text.substring(0, BYTES).getBytes(StandardCharsets.US_ASCII);
  }

  private static Map<String, float[]> weights(Model model) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    model
        .getBlock()
        .getParameters()
        .forEach(pair -> weights.put(pair.getKey(), pair.getValue().getArray().toFloatArray()));
    return weights;
  }

  private static Map<String, float[]> saved(String name) throws Exception {
    try (Model model = SHARNN.load(folder.resolve(name))) {
      return weights(model);
    }
  }

  private static void assertSame(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual.keySet()).isEqualTo(expected.keySet());
    actual.forEach((name, values) -> assertThat(values).as(name).isEqualTo(expected.get(name)));
  }

  @Test
  void one_worker_without_momentum_is_fit() throws Exception {
    try (Model model = SHARNN.of(TrainingClusterJob.CONFIG).newModel("local")) {
      Recipe.SMALL
          .trainer(model)
          .batchSize(4)
          .sequenceLength(16)
          .evaluationInterval(50)
          .averageDecay(0.9)
          .learningRate(LearningRateSchedule.peak(0.01f).warmUp(10).linear())
          .build()
          .fit(Corpus.open(folder.resolve("corpus.txt")), Budget.steps(100));
      assertSame(saved("one"), weights(model));
    }
  }

  @Test
  void a_killed_executor_changes_no_bit() throws Exception {
    assertThat(Files.readString(folder.resolve("retries"))).isNotEqualTo("0");
    assertThat(Files.readString(folder.resolve("outer"))).isEqualTo("10 2");
    assertSame(saved("killed"), saved("whole"));
  }

  @Test
  void the_trained_model_scores() throws IOException {
    assertThat(Lines.rows(folder.resolve("scored"), "value"))
        .hasSize(3)
        .allSatisfy(row -> assertThat(row.get("bitsPerByte").getAsDouble()).isBetween(0.1, 6.0));
  }

  @Test
  void errors_name_the_worker_and_the_way_out() throws IOException {
    List<String> errors = Files.readAllLines(folder.resolve("errors"));
    assertThat(errors).hasSize(6);
    assertThat(errors.get(0))
        .startsWith("java.lang.IllegalArgumentException: worker 0 (executor ")
        .contains("corpus must be a file or folder that every executor can read, but there is no ")
        .contains("--files");
    assertThat(errors.get(1))
        .contains("(3 bytes) is too short for 2 workers, which need 2 bytes each");
    assertThat(errors.get(2))
        .contains("model must be a folder that the driver and every executor share, but ")
        .contains("driver-only is not the driver's folder here");
    assertThat(errors.get(3)).contains("gpu7 was asked for, but is not there");
    assertThat(errors.get(4))
        .startsWith(
            "java.lang.IllegalArgumentException: checkpoints must be a new folder for another")
        .contains(
            "whole-checkpoints has those of 2 workers, and numWorkers is 3: set numWorkers to 2");
    assertThat(errors.get(5))
        .contains("training has failed: worker ")
        .contains(" which has not sent its part of outer step ")
        .contains("increase timeoutSeconds");
  }
}
