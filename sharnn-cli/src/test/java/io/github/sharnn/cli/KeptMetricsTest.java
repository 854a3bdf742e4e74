package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import io.github.sharnn.train.Checkpoint;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The metrics file that a checkpoint names: written only if it belongs to the resumed run. */
class KeptMetricsTest extends TrainedModelTest {

  @TempDir private Path folder;
  private Path run;
  private Path metrics;

  @BeforeEach
  void train_a_run_with_metrics_outside_of_its_folder() {
    run = folder.resolve("run");
    metrics = folder.resolve("x.jsonl");
    Outcome outcome =
        train("--output", run, "--steps", 4, "--checkpoint-interval", 2, "--metrics", metrics);
    assertThat(outcome.code()).as(outcome.err()).isZero();
  }

  private static List<String> steps(Path file) throws IOException {
    return Files.readAllLines(file).stream().filter(line -> line.contains("\"step\":")).toList();
  }

  private Map<String, String> contents() throws IOException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.toList()) {
        contents.put(
            path.toString(),
            Files.isRegularFile(path)
                ? HexFormat.of().formatHex(Files.readAllBytes(path))
                : Files.getLastModifiedTime(path).toString());
      }
    }
    return contents;
  }

  /** Resumes from the first checkpoint, which would cut the file, and expects no change. */
  private void assertRefused(Path resumed) throws IOException {
    Map<String, String> before = contents();
    Outcome outcome =
        run("train", "--resume", resumed.resolve("checkpoint-1-00000002"), "--steps", 5);
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err())
        .contains(
            "the checkpoint names the metrics file " + metrics,
            "outside of the run's folder and does not belong to this run in " + resumed,
            "give --metrics again, with this or another file");
    assertThat(contents()).isEqualTo(before);
  }

  @Test
  void another_runs_file_is_refused() throws IOException {
    Path other = folder.resolve("other");
    Path others = folder.resolve("other.jsonl");
    train("--output", other, "--steps", 3, "--metrics", others);
    Files.move(metrics, folder.resolve("mine.jsonl"));
    Files.move(others, metrics);
    assertRefused(run);
    assertThat(run("train", "--resume", run, "--steps", 5, "--metrics", others).code()).isZero();
    assertThat(steps(others)).hasSize(1).last().asString().contains("\"step\":5,");
    assertThat(steps(metrics)).hasSize(3);
    assertThat(run("train", "--resume", run, "--steps", 6).code()).isZero();
    assertThat(steps(others)).as("given again, and kept from then on").hasSize(2);
  }

  @Test
  void a_file_of_something_else_is_refused() throws IOException {
    Files.writeString(metrics, "mine\n");
    assertRefused(run);
    Files.writeString(metrics, "{\"run\":{\"id\":\"\",\"folder\":\"" + run + "\"}}\n");
    assertRefused(run);
    Files.writeString(metrics, "{\"run\":7}\n{\"run\":{\"id\":[]}}\n{\"run\":\n");
    assertRefused(run);
    Files.writeString(metrics, "");
    assertRefused(run);
    Files.delete(metrics);
    Files.createDirectory(metrics);
    assertRefused(run);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void links_are_refused() throws IOException {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Path real = Files.move(metrics, elsewhere.resolve("real.jsonl"));
    Files.createSymbolicLink(metrics, real);
    assertRefused(run);
    assertThat(steps(real)).hasSize(4);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void a_link_in_the_runs_folder_leads_outside() throws IOException {
    Path inside = Files.createDirectory(run.resolve("sub"));
    Path other = folder.resolve("other.jsonl");
    train("--output", folder.resolve("other"), "--steps", 3, "--metrics", other);
    metrics = inside.resolve("x.jsonl");
    Outcome given =
        run(
            "train",
            "--resume",
            run.resolve("checkpoint-1-00000002"),
            "--steps",
            5,
            "--metrics",
            metrics);
    assertThat(given.code()).as(given.err()).isZero();
    assertThat(Checkpoint.open(run).policy().program()).containsEntry("--metrics", "sub/x.jsonl");
    Path outside = Files.move(inside, folder.resolve("outside"));
    Files.createSymbolicLink(inside, outside);
    assertThat(run("train", "--resume", run, "--steps", 6).code()).as("its own file").isZero();
    assertThat(steps(outside.resolve("x.jsonl"))).hasSize(4);
    Files.copy(other, outside.resolve("x.jsonl"), StandardCopyOption.REPLACE_EXISTING);
    Map<String, String> before = contents();
    Outcome refused = run("train", "--resume", run, "--steps", 7);
    assertThat(refused.err())
        .contains("the metrics file " + metrics, "outside of the run's folder");
    assertThat(contents()).isEqualTo(before);
  }

  @Test
  void a_copy_of_a_run_leaves_the_originals_file() throws IOException {
    Path copy = folder.resolve("copy");
    copy(run, copy);
    assertRefused(copy);
    MoreFiles.deleteRecursively(run);
    Outcome outcome = run("train", "--resume", copy, "--steps", 5);
    assertThat(outcome.code()).as("moved: " + outcome.err()).isZero();
    assertThat(steps(metrics)).hasSize(5);
    Path back = Files.move(copy, run);
    assertThat(run("train", "--resume", back, "--steps", 6).code()).isZero();
    assertThat(steps(metrics)).hasSize(6);
  }

  @Test
  void ids_differ_and_are_kept_and_a_missing_file_is_not_created() throws IOException {
    Path other = folder.resolve("other");
    train("--output", other, "--steps", 1);
    String id = Checkpoint.open(run).policy().program().get("run");
    assertThat(id).hasSize(36);
    assertThat(Checkpoint.open(other).policy().program().get("run")).hasSize(36).isNotEqualTo(id);
    Outcome outcome = run("train", "--resume", run, "--steps", 5);
    assertThat(outcome.out()).doesNotContain(id);
    assertThat(Checkpoint.open(run).policy().program()).containsEntry("run", id);
    Path real = run.toRealPath();
    assertThat(Files.readAllLines(metrics))
        .filteredOn(line -> line.startsWith("{\"run\""))
        .hasSize(2)
        .allMatch(line -> line.contains("\"id\":\"" + id + "\""))
        .allMatch(line -> line.contains("\"folder\":\"" + real + "\""));

    Files.move(metrics, folder.resolve("real.jsonl"));
    Outcome missing = run("train", "--resume", run, "--steps", 6);
    assertThat(missing.err()).isEmpty();
    assertThat(missing.out()).contains("x.jsonl is not there any more: the metrics go into");
    assertThat(metrics).doesNotExist();
    assertThat(steps(run.resolve("metrics.jsonl"))).hasSize(1);
  }

  @Test
  void a_checkpoint_without_an_id_resumes_and_gets_one() throws IOException {
    List<Path> checkpoints = Checkpoint.list(run);
    for (Path checkpoint : checkpoints) {
      Path record = checkpoint.resolve("training.json");
      Path sums = checkpoint.resolve("SHA256SUMS");
      String before = Files.readString(record);
      String entry = "\"run\": \"[0-9a-f-]{36}\"";
      String after = before.replaceFirst(entry + ",\\s*|,\\s*" + entry, ""); // in any order
      assertThat(after).hasSizeLessThan(before.length());
      Files.writeString(record, after);
      Files.writeString(sums, Files.readString(sums).replace(sha256(before), sha256(after)));
    }
    assertThat(Checkpoint.open(run).policy().program()).doesNotContainKey("run");
    assertRefused(run);
    Outcome outcome = run("train", "--resume", run, "--steps", 5, "--metrics", metrics);
    assertThat(outcome.code()).as(outcome.err()).isZero();
    assertThat(steps(metrics)).hasSize(5);
    assertThat(Checkpoint.open(run).policy().program().get("run")).hasSize(36);
    assertThat(run("train", "--resume", run, "--steps", 6).code()).isZero();
    assertThat(steps(metrics)).as("its own from then on").hasSize(6);
  }

  private static String sha256(String text) {
    return Hashing.sha256().hashString(text, StandardCharsets.UTF_8).toString();
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> paths = Files.walk(from)) {
      for (Path path : paths.toList()) {
        Files.copy(path, to.resolve(from.relativize(path).toString()));
      }
    }
  }
}
