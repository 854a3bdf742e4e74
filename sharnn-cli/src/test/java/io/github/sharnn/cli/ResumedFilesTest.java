package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The files of a run that {@code train --resume} accepts or rejects. */
class ResumedFilesTest extends TrainedModelTest {

  @TempDir private Path folder;
  private Path run;

  @BeforeEach
  void train_a_run() {
    run = folder.resolve("run");
    Outcome outcome = train("--output", run, "--steps", 6, "--checkpoint-interval", 2);
    assertThat(outcome.code()).isZero();
  }

  private static Map<String, String> contents(Path folder) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.filter(Files::isRegularFile).toList()) {
        contents.put(path.toString(), HexFormat.of().formatHex(Files.readAllBytes(path)));
      }
    }
    return contents;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--keep 0",
        "--steps 1",
        "--batch-size 3",
        "--sequence-length 1000000",
        "--checkpoint-interval -1",
        "--layers 3",
        "--device gpu99",
        "--corpus pom.xml",
        "--metrics no/such/folder/metrics.jsonl",
        "--clip-norm 0"
      })
  void a_refused_request_leaves_every_file(String options) throws Exception {
    Map<String, String> before = contents(run);
    Object[] arguments =
        Stream.concat(
                Stream.of("train", "--resume", run.resolve("checkpoint-1-00000002")),
                Stream.of(options.split(" ")))
            .toArray();
    Outcome outcome = run(arguments);
    assertThat(outcome.code()).isIn(1, 2);
    assertThat(outcome.err()).isNotEmpty();
    assertThat(contents(run)).isEqualTo(before);
  }

  @Test
  void a_new_run_with_metrics_in_no_folder_is_refused_before_it_begins() {
    Path output = folder.resolve("other");
    Path metrics = folder.resolve("none/metrics.jsonl");
    Outcome outcome = train("--output", output, "--metrics", metrics, "--steps", 2);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err())
        .contains(
            "no such file or folder: " + metrics.getParent() + "; --metrics needs its folder");
    assertThat(output).doesNotExist();
  }

  @Test
  void damaged_metrics_are_passed_over_and_counted() throws Exception {
    Path metrics = run.resolve("metrics.jsonl");
    List<String> lines = Files.readAllLines(metrics, StandardCharsets.ISO_8859_1);
    String damaged = "\0".repeat(4096);
    Files.writeString(
        metrics,
        damaged
            + "\n"
            + String.join("\n", lines)
            + "\n{\"stage\":1,\"st\n\u0000\u00ff\u00fe\r\n{\"stage\":1,\"step\":7",
        StandardCharsets.ISO_8859_1);
    Outcome outcome = run("train", "--resume", run, "--steps", 8);
    assertThat(outcome.code()).as(outcome.err()).isZero();
    assertThat(Files.readString(metrics, StandardCharsets.ISO_8859_1))
        .startsWith(damaged + "\n")
        .contains(String.join("\n", lines))
        .contains("\"step\":8,");
    Path page = folder.resolve("page.html");
    Outcome report = run("report", run, "--output", page);
    assertThat(report.code()).as(report.err()).isZero();
    assertThat(page)
        .content()
        .contains("step 8, validation")
        .containsPattern("damaged lines of metrics</th>\\s*<td>3<");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void links_to_files_outside_are_replaced_or_refused_but_never_written_through() throws Exception {
    Path outside = Files.createDirectory(folder.resolve("outside"));
    Path metrics = run.resolve("metrics.jsonl");
    Files.move(metrics, outside.resolve("metrics.jsonl"));
    Files.createSymbolicLink(metrics, outside.resolve("metrics.jsonl"));
    for (String name : List.of("report.html", "config.json", "model.safetensors", "SHA256SUMS")) {
      Files.move(run.resolve(name), outside.resolve(name));
      Files.createSymbolicLink(run.resolve(name), outside.resolve(name));
    }
    Files.delete(run.resolve("README.md"));
    Files.createSymbolicLink(run.resolve("README.md"), outside.resolve("none"));
    Path left = run.resolve(".report.html.01234567-89ab-cdef-0123-456789abcdef.tmp");
    Files.createSymbolicLink(left, outside.resolve("report.html"));
    Map<String, String> before = contents(outside);
    Outcome refused = run("train", "--resume", run, "--steps", 8);
    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.err()).contains(metrics + " is a link", "replace it by a copy");
    Files.delete(metrics);
    Files.createLink(metrics, outside.resolve("metrics.jsonl"));
    Outcome outcome = run("train", "--resume", run, "--steps", 8);
    assertThat(outcome.code()).as(outcome.err()).isZero();
    assertThat(contents(outside)).isEqualTo(before);
    assertThat(outside.resolve("none")).doesNotExist();
    try (Stream<Path> files = Files.list(run)) {
      assertThat(files)
          .allMatch(file -> !Files.isSymbolicLink(file))
          .noneMatch(file -> file.toString().endsWith(".tmp"));
    }
    assertThat(metrics).content().contains("\"step\":8,");
    assertThat(run("generate", run, "--length", 3).code()).isZero();
  }
}
