package io.github.sharnn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.InstanceOfAssertFactories.LONG;

import ai.djl.util.Utils;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.train.Checkpoint;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Ctrl-C, SIGTERM and SIGKILL, in a process of its own. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "has no kill")
class StopTest {

  private static final int STEPS = 400;

  @TempDir private Path folder;

  private Process start(Object... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dai.djl.pytorch.num_threads=1");
    command.add("-DDJL_CACHE_DIR=" + Utils.getCacheDir());
    command.add("-DENGINE_CACHE_DIR=" + Utils.getEngineCacheDir());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(Sharnn.class.getName(), "train"));
    for (Object arg : args) {
      command.add(arg.toString());
    }
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(folder.resolve("out.txt").toFile())
        .start();
  }

  private String stop(Process process, String signal, int lines, String... later) throws Exception {
    Path metrics = folder.resolve("model/metrics.jsonl");
    while (!Files.exists(metrics) || Files.readAllLines(metrics).size() < lines) {
      assertThat(process.isAlive()).as(Files.readString(folder.resolve("out.txt"))).isTrue();
      Thread.sleep(10);
    }
    new ProcessBuilder("kill", "-" + signal, "" + process.pid()).start().waitFor();
    for (String next : later) {
      while (!Files.readString(folder.resolve("out.txt")).contains("send the signal again")) {
        Thread.sleep(10);
      }
      new ProcessBuilder("kill", "-" + next, "" + process.pid()).start().waitFor();
    }
    return end(process);
  }

  private String end(Process process) throws Exception {
    assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
    return Files.readString(folder.resolve("out.txt"), StandardCharsets.UTF_8);
  }

  @Test
  void a_signal_stops_a_run_that_then_goes_on() throws Exception {
    Path corpus = folder.resolve("corpus.txt");
    Files.writeString(corpus, "abcd efgh ijkl mnop. ".repeat(200));
    Path model = folder.resolve("model");
    List<Object> args = new ArrayList<>(List.of("--corpus", corpus, "--output", model));
    args.addAll(List.of("--embedding-size", 16, "--boom-size", 32, "--memory-length", 32));
    args.addAll(List.of("--batch-size", 4, "--sequence-length", 16, "--steps", STEPS));

    Process process = start(args.toArray());
    String out = stop(process, "INT", 3);
    assertThat(out)
        .contains("stopping after this step; send the signal again to stop at once")
        .contains("training stopped after step ", "saved in " + model.resolve("checkpoint-1-"))
        .contains("resume with: java -jar sharnn.jar train --resume " + model);
    assertThat(process.exitValue()).isEqualTo(130);

    process = start("--resume", model);
    out = stop(process, "TERM", Files.readAllLines(model.resolve("metrics.jsonl")).size() + 3);
    assertThat(out).contains("resuming " + model.resolve("checkpoint-1-"));
    assertThat(process.exitValue()).isEqualTo(143);

    // evaluates, and is killed some steps after the one checkpoint that there is
    process = start("--resume", model, "--evaluation-interval", 2, "--checkpoint-minutes", 0);
    int lines = Files.readAllLines(model.resolve("metrics.jsonl")).size();
    stop(process, "KILL", lines + 20);
    assertThat(process.exitValue()).isEqualTo(137);
    long saved = Checkpoint.open(model).step();
    assertThat(steps(model, "step")).last(LONG).isGreaterThan(saved);

    process = start("--resume", model, "--evaluation-interval", 100);
    assertThat(end(process)).contains("saved in " + model);
    assertThat(process.exitValue()).isZero();
    assertThat(steps(model, "step")).isEqualTo(LongStream.rangeClosed(1, STEPS).boxed().toList());
    // the saved step, if it was evaluated, and those of the last run
    List<Long> evaluated = steps(model, "validationBpc");
    assertThat(evaluated).last(LONG).isEqualTo((long) STEPS);
    assertThat(lines(model)).filteredOn(line -> line.has("sample")).hasSameSizeAs(evaluated);
  }

  @Test
  void a_second_signal_ends_the_process_while_pytorch_computes() throws Exception {
    Path corpus = folder.resolve("corpus.txt");
    Files.writeString(corpus, "abcd efgh ijkl mnop. ".repeat(20_000));
    List<Object> args = new ArrayList<>(List.of("--corpus", corpus));
    args.addAll(List.of("--output", folder.resolve("model"), "--embedding-size", 256));
    args.addAll(List.of("--batch-size", 16, "--sequence-length", 512)); // steps of seconds
    Process process = start(args.toArray());
    stop(process, "TERM", 1, "TERM");
    assertThat(Files.readString(folder.resolve("out.txt"))).doesNotContain("fatal error");
    assertThat(process.exitValue()).isEqualTo(143);
  }

  private static List<JsonObject> lines(Path model) throws IOException {
    return Files.readAllLines(model.resolve("metrics.jsonl")).stream()
        .map(line -> JsonParser.parseString(line).getAsJsonObject())
        .toList();
  }

  /**
   * Returns the steps of the lines that have a field. Other lines hold settings, samples and the
   * test figure.
   */
  private static List<Long> steps(Path model, String field) throws IOException {
    return lines(model).stream()
        .filter(line -> line.has(field))
        .map(line -> line.get("step").getAsLong())
        .toList();
  }
}
