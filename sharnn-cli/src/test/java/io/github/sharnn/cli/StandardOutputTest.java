package io.github.sharnn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.sharnn.cli.StandardOutput.LostOutputException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Output that can't be written: a full disk, a pipe that nobody reads any more. */
class StandardOutputTest extends TrainedModelTest {

  @TempDir private Path folder;

  /** A pipe whose reader goes away once it has read some text. */
  private static final class Pipe extends OutputStream {

    private final StringBuilder read = new StringBuilder();
    private final String last;

    Pipe(String last) {
      this.last = last;
    }

    @Override
    public void write(byte[] bytes, int from, int length) throws IOException {
      if (read.indexOf(last) >= 0) {
        throw new IOException("Broken pipe");
      }
      read.append(new String(bytes, from, length, StandardCharsets.UTF_8));
    }

    @Override
    public void write(int value) throws IOException {
      write(new byte[] {(byte) value}, 0, 1);
    }
  }

  private static Outcome run(Pipe pipe, String... args) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream errors = new ByteArrayOutputStream();
    System.setOut(new PrintStream(pipe, false, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(errors, true, StandardCharsets.UTF_8));
    try {
      int code = Sharnn.run(args);
      return new Outcome(code, pipe.read.toString(), errors.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static String lastLine(String text) {
    return text.lines().reduce((first, last) -> last).orElseThrow();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--help",
        "--version",
        "train --help",
        "generate MODEL --length 5",
        "generate MODEL --length 5 --no-stream",
        "score MODEL TEXT",
        "score MODEL TEXT --lines",
        "score MODEL TEXT --tokens",
        "evaluate MODEL --corpus TEXT --streams 1",
        "compress MODEL TEXT --output OUT",
        "decompress MODEL PACKED --output OUT",
        "report METRICS --output OUT",
        "plot METRICS --output OUT",
        "export MODEL --output OUT",
        "benchmark --embedding-size 8 --boom-size 8 --memory-length 8 --sequence-length 8 --steps 1"
            + " --batch-size 2 --no-floor",
        "benchmark --generate --embedding-size 8 --boom-size 8 --memory-length 8 --steps 1",
        "train --embedding-size 8 --boom-size 8 --steps 1 --corpus TEXT --output OUT",
        "verify ../sharnn-core/src/test/resources/golden/no-attention",
      })
  void every_command_fails_if_it_cannot_write(String command) throws IOException {
    Path text = Files.writeString(folder.resolve("text"), "abcd efgh\nijkl\n".repeat(9));
    Path metrics = folder.resolve("metrics.jsonl");
    Files.writeString(
        metrics,
        Stream.of(1, 2, 3)
            .map(
                step ->
                    "{\"step\":" + step + ",\"seconds\":1,\"trainBpc\":8,\"validationBpc\":8}\n")
            .reduce("", String::concat));
    Path packed = folder.resolve("packed");
    if (command.startsWith("decompress")) {
      assertThat(Outcome.run("compress", model, text, "--output", packed).code()).isZero();
    }
    String[] args =
        command
            .replace("MODEL", model.toString())
            .replace("TEXT", text.toString())
            .replace("METRICS", metrics.toString())
            .replace("PACKED", packed.toString())
            .replace("OUT", folder.resolve("out").toString())
            .split(" ");
    Outcome outcome = run(new Pipe(""), args);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(lastLine(outcome.err())).startsWith("error: standard output can't be written: ");
  }

  /** Two thousand million bytes, of which nobody reads more than the first. */
  @Test
  @Timeout(60)
  void generate_stops_if_nobody_reads() {
    Outcome outcome = run(new Pipe("The "), "generate", model.toString(), "--length", "2000000000");
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.out()).isEqualTo("The ");
  }

  @Test
  @Timeout(60)
  void score_stops_if_nobody_reads() throws IOException {
    Path large = Files.writeString(folder.resolve("large"), "abcd efgh\n".repeat(1 << 20));
    Map<String, Integer> writtenAtOnce = Map.of("--tokens", 1, "--lines", 1024); // lines
    writtenAtOnce.forEach(
        (detail, lines) -> {
          Outcome outcome =
              run(new Pipe("\n"), "score", model.toString(), large.toString(), detail);
          assertThat(outcome.code()).isEqualTo(1);
          assertThat(outcome.out()).hasLineCount(lines);
        });
  }

  @Test
  @Timeout(60)
  void train_saves_a_checkpoint_if_nobody_reads() throws IOException {
    Path corpus = Files.writeString(folder.resolve("corpus"), "abcd efgh ijkl mnop. ".repeat(99));
    String run = folder.resolve("run").toString();
    Outcome outcome =
        run(
            new Pipe("step 1 "),
            ("train --embedding-size 8 --boom-size 8 --memory-length 8 --batch-size 2 --steps 99999"
                    + " --evaluation-interval 5 --output "
                    + run
                    + " --corpus "
                    + corpus)
                .split(" "));
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err())
        .contains(
            "training stopped after step ", "resume with: java -jar sharnn.jar train --resume")
        .contains("error: standard output can't be written: ");
    Outcome resumed = Outcome.run("train", "--resume", run, "--steps", 9);
    assertThat(resumed.out()).contains("step 9 ", "saved in " + run);
  }

  @Test
  void a_failure_stays() {
    StandardOutput output = new StandardOutput(new Pipe("x"));
    output.print("x");
    assertThat(output.checkError()).isFalse();
    assertThatThrownBy(() -> output.print("y"))
        .isInstanceOf(LostOutputException.class)
        .hasMessage("standard output can't be written: Broken pipe");
    assertThatThrownBy(() -> output.println("z")).isSameAs(output.failure().orElseThrow());
    assertThat(output.checkError()).isTrue();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void a_process_fails_on_a_full_disk() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Sharnn.class.getName(),
                "--version")
            .redirectOutput(Path.of("/dev/full").toFile())
            .start();
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(err).startsWith("error: standard output can't be written: ").hasLineCount(1);
    assertThat(process.exitValue()).isEqualTo(1);
  }
}
