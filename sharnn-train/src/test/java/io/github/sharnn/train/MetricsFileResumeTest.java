package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The metrics of a resumed run. */
class MetricsFileResumeTest {

  @TempDir private Path folder;
  private Path file;
  private Checkpoint checkpoint; // after step 2 of stage 1

  @BeforeEach
  void train() throws Exception {
    file = folder.resolve("metrics.jsonl");
    Path run = folder.resolve("run");
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      Tiny.trainer(model)
          .checkpoints(CheckpointPolicy.in(run))
          .build()
          .fit(Tiny.corpus(folder, 1_000), Budget.steps(2));
    }
    checkpoint = Checkpoint.open(run);
  }

  private static StepReport report(long step) {
    return new StepReport(step, step * 64, 0.5, 1, 3.5, Double.NaN, 1e6, 1, 2e-3f, 1);
  }

  private static String line(int step) {
    return "{\"stage\":1,\"step\":" + step + ",\"trainBpc\":5.5}\n";
  }

  private void resume(int... steps) throws IOException {
    try (MetricsFile metrics = MetricsFile.resume(file, null, checkpoint)) {
      for (int step : steps) {
        metrics.accept(report(step));
      }
    }
  }

  private void assertHas(String kept, int... steps) throws IOException {
    String content = Files.readString(file, StandardCharsets.ISO_8859_1);
    assertThat(content).startsWith(kept);
    List<String> rest = content.substring(kept.length()).lines().toList();
    assertThat(rest).hasSize(steps.length);
    for (int i = 0; i < steps.length; i++) {
      assertThat(rest.get(i)).startsWith("{\"stage\":1,\"step\":" + steps[i] + ",\"bytes\"");
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(path -> path.getFileName().toString()))
          .noneMatch(name -> name.startsWith("."));
    }
  }

  @Test
  void stay_as_they_are_until_the_first_line() throws Exception {
    String old = line(1) + line(2) + "{\"sample\":{\"text\":\"x\"}}\n" + line(3) + line(4);
    Files.writeString(file, old);
    try (MetricsFile metrics = MetricsFile.resume(file, null, checkpoint)) {
      assertThat(file).hasContent(old);
      metrics.add("run", Map.of("a", 1));
      metrics.accept(report(3));
    }
    assertHas(line(1) + line(2) + "{\"sample\":{\"text\":\"x\"}}\n{\"run\":{\"a\":1}}\n", 3);
    resume();
    assertHas(line(1) + line(2) + "{\"sample\":{\"text\":\"x\"}}\n{\"run\":{\"a\":1}}\n", 3);
  }

  @Test
  void begin_anew_if_the_file_is_missing_or_empty() throws Exception {
    resume(3, 4);
    assertHas("", 3, 4);
    Files.delete(file);
    Files.createFile(file);
    resume(3);
    assertHas("", 3);
  }

  static Stream<byte[]> damage() {
    byte[] binary = new byte[256];
    IntStream.range(0, 256).forEach(i -> binary[i] = (byte) (i == '\n' ? 0 : i));
    ByteArrayOutputStream long_ = new ByteArrayOutputStream();
    long_.writeBytes("{\"stage\":1,\"step\":9,\"x\":\"".getBytes(StandardCharsets.US_ASCII));
    long_.writeBytes(new byte[3 << 20]);
    return Stream.of(
        line(1).substring(0, 17).getBytes(StandardCharsets.US_ASCII), // cut
        (line(1).substring(0, 17) + line(9).trim()).getBytes(StandardCharsets.US_ASCII),
        ("\0".repeat(4096) + line(9).trim()).getBytes(StandardCharsets.US_ASCII),
        new byte[5000],
        binary,
        "[1]".getBytes(StandardCharsets.US_ASCII),
        "{\"stage\":\"x\",\"step\":[]}".getBytes(StandardCharsets.US_ASCII),
        "{\"stage\":1,\"step\":1e999}".getBytes(StandardCharsets.US_ASCII),
        "\r\r{\"stage\"".getBytes(StandardCharsets.US_ASCII),
        new byte[0], // an empty line
        long_.toByteArray(),
        "[".repeat(100_000).getBytes(StandardCharsets.US_ASCII));
  }

  @ParameterizedTest
  @MethodSource("damage")
  void pass_over_damaged_lines(byte[] damaged) throws Exception {
    String line = new String(damaged, StandardCharsets.ISO_8859_1) + "\n";
    String kept = line + line(1) + line + line + line(2) + line;
    Files.writeString(file, kept + line(3) + line + line(4), StandardCharsets.ISO_8859_1);
    resume(3, 4);
    assertHas(kept, 3, 4);
  }

  @Test
  void leave_out_a_last_line_without_an_end() throws Exception {
    String kept = line(1);
    String last = line(2).trim();
    for (int length = 0; length <= last.length(); length += 7) {
      Files.writeString(file, kept + last.substring(0, length));
      resume(3);
      assertHas(kept, 3);
    }
  }

  @Test
  void go_back_after_the_first_line_and_before_it() throws Exception {
    Files.writeString(file, line(1) + line(2) + line(3));
    resume(3, 4, 5, 3, 4);
    assertHas(line(1) + line(2), 3, 4);
    Files.writeString(file, line(1) + line(2) + line(3));
    resume(2, 3); // the first step diverged at once
    assertHas(line(1), 2, 3);
  }

  @Test
  void lose_the_lines_of_a_later_stage() throws Exception {
    Files.writeString(file, line(1) + line(2) + line(1).replace("1", "2") + line(3));
    resume(1);
    assertThat(Files.readAllLines(file).subList(0, 2))
        .containsExactly(line(1).trim(), line(2).trim());
    assertThat(Files.readAllLines(file))
        .hasSize(3)
        .last()
        .asString()
        .contains("\"stage\":2,\"step\":1,\"bytes\"");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void follow_no_link() throws Exception {
    Path victim = Files.writeString(folder.resolve("victim"), line(1) + line(3));
    Files.createSymbolicLink(file, victim);
    assertThatThrownBy(() -> resume(3))
        .isInstanceOf(IOException.class)
        .hasMessage(
            "the metrics of a resumed run must be a plain file, but "
                + file
                + " is a link, a folder or a device: replace it by a copy, or name another file");
    Files.delete(file);
    Files.createLink(file, victim);
    resume(3, 4);
    assertHas(line(1), 3, 4);
    assertThat(victim).hasContent(line(1) + line(3));
    Files.delete(file);
    Files.createSymbolicLink(file, folder.resolve("none"));
    assertThatThrownBy(() -> resume(3)).hasMessageContaining("is a link");
    try (MetricsFile metrics = new MetricsFile(file)) {
      assertThatThrownBy(() -> metrics.accept(report(1))).hasMessageContaining("FileAlreadyExists");
    }
    assertThat(folder.resolve("none")).doesNotExist();
    Files.delete(file);
    Files.createDirectory(file);
    assertThatThrownBy(() -> resume(3)).hasMessageContaining("a folder");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void follow_no_link_that_takes_the_place_of_the_file_later() throws Exception {
    Path victim = Files.writeString(folder.resolve("victim"), line(1) + line(3));
    Files.writeString(file, line(1) + line(2));
    MetricsFile metrics = MetricsFile.resume(file, null, checkpoint);
    Files.delete(file);
    Files.createSymbolicLink(file, victim);
    assertThatThrownBy(() -> metrics.accept(report(3))).hasMessageContaining("is a link");
    Files.delete(file);
    Files.writeString(file, line(1));
    metrics.accept(report(3));
    Files.delete(file);
    Files.createSymbolicLink(file, victim);
    metrics.accept(report(4));
    metrics.accept(report(3)); // cuts
    assertThatThrownBy(metrics::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(file + " was deleted, moved or replaced during the run");
    assertThat(victim).hasContent(line(1) + line(3));
  }
}
