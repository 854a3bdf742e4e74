package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import ai.djl.Model;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.spark.TextWork.RowSeeds;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Scoring and generation on a cluster of a master and two workers. {@link ClusterJob} runs on it
 * once, and each test looks at a part of its results.
 */
@DisabledOnOs(OS.WINDOWS) // Hadoop needs programs of its own there
class ClusterIT {

  private static final int LINES = 5000;

  @TempDir private static Path folder;
  private static List<String> lines;
  private static Model model;

  @BeforeAll
  static void run_the_job() throws Exception {
    model = Lines.model(32);
    model.save(folder.resolve("model"), "log");
    zip(folder.resolve("model"), folder.resolve("model.zip"));
    lines = Lines.of(LINES);
    Files.write(folder.resolve("lines.txt"), lines);
    try (LocalCluster cluster = new LocalCluster(folder, 2)) {
      List<String> options =
          List.of(
              "--archives",
              folder.resolve("model.zip").toUri() + "#model",
              "--conf",
              "spark.hadoop.fs.copied.impl=" + CopiedFileSystem.class.getName(),
              "--conf",
              "spark.sql.shuffle.partitions=4",
              "--conf",
              "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
      cluster.submit("job", ClusterJob.class, 5, options, List.of(folder.toString()));
    }
  }

  @AfterAll
  static void close() {
    if (model != null) {
      model.close();
    }
  }

  private static void zip(Path source, Path target) throws IOException {
    try (OutputStream file = Files.newOutputStream(target);
        ZipOutputStream zip = new ZipOutputStream(file);
        Stream<Path> files = Files.list(source)) {
      for (Path each : files.sorted().toList()) {
        zip.putNextEntry(new ZipEntry(each.getFileName().toString()));
        Files.copy(each, zip);
        zip.closeEntry();
      }
    }
  }

  private static List<JsonObject> rows(String name, String key) throws IOException {
    return Lines.rows(folder.resolve(name), key);
  }

  @Test
  void both_executors_give_the_figures_of_the_scorer() throws IOException {
    List<JsonObject> rows = rows("scores", "value");
    List<byte[]> texts =
        lines.stream().map(line -> (line + "\n").getBytes(StandardCharsets.UTF_8)).toList();
    List<Score> scores = Scorer.builder(model).build().scoreAll(texts);
    assertThat(rows).hasSize(LINES);
    for (int i = 0; i < LINES; i++) {
      JsonObject row = rows.get(i);
      Score score = scores.get(i);
      assertThat(row.get("value").getAsString()).isEqualTo(lines.get(i));
      assertThat(row.get("bits").getAsDouble())
          .isCloseTo(score.totals().bits(), offset(1e-5 * score.tokens().size()));
      assertThat(row.get("bitsPerByte").getAsDouble())
          .isCloseTo(score.totals().bitsPerByte(), offset(1e-5));
      int position = row.get("surprisingPosition").getAsInt();
      assertThat(row.get("surprisingToken").getAsString())
          .isEqualTo(Character.toString(texts.get(i)[position]));
      double least = score.tokens().stream().mapToDouble(t -> t.logProbability()).min().orElse(0);
      assertThat((double) score.tokens().get(position).logProbability())
          .isCloseTo(least, offset(1e-5));
      assertThat(row.has("scoreError")).isFalse();
    }
    assertThat(Files.readString(folder.resolve("executors"))).isEqualTo("0 1");
  }

  @Test
  void sharnn_jar_prints_the_same_figures() throws Exception {
    List<Double> expected = Lines.printed(folder);
    List<JsonObject> rows = rows("scores", "value");
    assertThat(expected).hasSize(LINES);
    for (int i = 0; i < LINES; i++) {
      assertThat(rows.get(i).get("bitsPerByte").getAsDouble())
          .isCloseTo(expected.get(i), offset(Lines.ROUNDING + 1e-5));
    }
  }

  @Test
  void null_empty_and_bad_rows_do_not_fail_the_others() throws IOException {
    List<JsonObject> rows = rows("rows", "id");
    Scorer scorer = Scorer.builder(model).build();
    assertThat(rows).hasSize(5);
    assertThat(rows.get(0).get("bits").getAsDouble())
        .isCloseTo(scorer.score("first\n").totals().bits(), offset(1e-4));
    assertThat(rows.get(0).getAsJsonArray("tokens"))
        .hasSize(6)
        .first()
        .extracting(token -> token.getAsJsonObject().get("token").getAsString())
        .isEqualTo("f");
    assertThat(rows.get(1).keySet()).containsExactly("id");
    assertThat(rows.get(2).keySet()).containsExactlyInAnyOrder("id", "value", "scoreError");
    assertThat(rows.get(2).get("scoreError").getAsString())
        .contains("text must have bytes between 0 and vocabularySize - 1 (127)");
    assertThat(rows.get(3).getAsJsonArray("tokens")).hasSize(1);
    assertThat(rows.get(4).getAsJsonArray("tokens")).hasSize(5);
  }

  @Test
  void a_column_is_found_by_its_case() throws IOException {
    JsonObject row = rows("cases", "id").get(0);
    assertThat(row.get("VALUE").getAsString()).isEqualTo("other");
    assertThat(row.get("bits")).isEqualTo(rows("rows", "id").get(0).get("bits"));
  }

  @Test
  void sql_scores_texts() throws IOException {
    List<JsonObject> rows = rows("sql", "id");
    Scorer scorer = Scorer.builder(model).build();
    assertThat(rows).hasSize(5);
    assertThat(rows.get(0).getAsJsonObject("score").get("bits").getAsDouble())
        .isCloseTo(scorer.score("first").totals().bits(), offset(1e-4));
    assertThat(rows.get(1).has("score")).isFalse();
    assertThat(rows.get(2).getAsJsonObject("score").keySet()).containsExactly("scoreError");
    assertThat(rows.get(3).getAsJsonObject("score").get("bits").getAsDouble()).isZero();
    assertThat(rows.get(3).getAsJsonObject("score").keySet()).containsExactly("bits");
  }

  @Test
  void a_pipeline_is_saved_and_loaded() throws IOException {
    List<JsonObject> rows = rows("fitted", "value");
    assertThat(rows).hasSize(20).isEqualTo(rows("loaded", "value"));
    assertThat(rows).allSatisfy(row -> assertThat(row.keySet()).contains("bits", "tokenBits"));
  }

  @Test
  void generated_texts_depend_on_the_row_alone() throws IOException {
    List<JsonObject> rows = rows("generated1", "id");
    assertThat(rows).hasSize(12).isEqualTo(rows("generated5", "id"));
    assertThat(generated(rows)).hasSize(12);
    for (JsonObject row : rows) {
      String prompt = row.get("value").getAsString();
      SHARNNGenerator generator =
          SHARNNGenerator.builder(model).length(20).seed(new RowSeeds(7).of(prompt, null)).build();
      assertThat(row.get("generated").getAsString()).isEqualTo(generator.generate(prompt));
    }
    assertThat(generated(rows("seeded", "id"))).hasSize(4);
  }

  private static HashSet<String> generated(List<JsonObject> rows) {
    Function<JsonObject, JsonElement> text = row -> row.get("generated");
    return rows.stream()
        .map(text.andThen(JsonElement::getAsString))
        .collect(Collectors.toCollection(HashSet::new));
  }

  @Test
  void errors_name_the_executor_and_the_way_out() throws IOException {
    List<String> errors = Files.readAllLines(folder.resolve("errors"));
    assertThat(errors).hasSize(3);
    assertThat(errors.get(0)).contains("text must have bytes between 0 and vocabularySize - 1");
    assertThat(errors.get(1))
        .contains("model must be a folder that every executor can read, but executor ")
        .contains(" does not find file:" + folder.resolve("moved"))
        .contains("--archives model.zip#model");
    assertThat(errors.get(2))
        .contains(
            "model must name the folder of a saved model, but the driver can't read SHA256SUMS");
  }

  @Test
  void a_stream_scores_each_line_once_through_a_restart() throws IOException {
    Map<String, Double> bits = new TreeMap<>();
    rows("scores", "value")
        .subList(0, 80)
        .forEach(row -> bits.put(row.get("value").getAsString(), row.get("bits").getAsDouble()));
    List<JsonObject> rows = rows("streamed", "value");
    assertThat(rows).hasSize(80);
    for (JsonObject row : rows) {
      assertThat(row.get("bits").getAsDouble())
          .isCloseTo(bits.remove(row.get("value").getAsString()), offset(1e-3));
    }
    assertThat(bits).isEmpty();
  }
}
