package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.util.Utils;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process that is killed again and again, some times in the middle of a save, ends up with the
 * losses of one that was left alone. {@code -Dsharnn.kills}, default 2, says how often; {@code
 * -Dsharnn.device}, default cpu, where. {@code docs/reliability.sh kills} runs it in full.
 */
class KillTest {

  private static final int KILLS = Integer.getInteger("sharnn.kills", 2);
  private static final String DEVICE = System.getProperty("sharnn.device", "cpu");
  private static final int STEPS = 50 * KILLS;
  private static final int INTERVAL = 4;
  private static final double GPU_TOLERANCE = 1e-3; // relative

  /** The process: trains with a checkpoint every four steps, and notes the loss of each step. */
  static final class Training {

    private Training() {}

    public static void main(String[] args) throws Exception {
      Path losses = Path.of(args[2]);
      train(
          Corpus.open(Path.of(args[0])),
          CheckpointPolicy.in(Path.of(args[1])).everySteps(INTERVAL).resume(),
          Integer.parseInt(args[3]),
          line -> {
            try {
              Files.writeString(
                  losses, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    }

    static void train(Corpus corpus, CheckpointPolicy policy, int steps, Consumer<String> notes) {
      try (Model model =
          Tiny.sharnn().dropouts(0.1f).build().newModel("tiny", Devices.of(DEVICE))) {
        Tiny.trainer(model)
            .evaluationInterval(50)
            .learningRate(LearningRateSchedule.peak(2e-2f).warmUp(20).cosine())
            .checkpoints(policy)
            .onStep(
                report ->
                    notes.accept(
                        report.step() + " " + report.trainBpc() + " " + report.validationBpc()))
            .build()
            .fit(corpus, Budget.steps(steps));
      }
    }
  }

  @TempDir private Path folder;

  private Process start(Path corpus, Path run, Path losses) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dai.djl.pytorch.num_threads=1");
    command.add("-DDJL_CACHE_DIR=" + Utils.getCacheDir());
    command.add("-DENGINE_CACHE_DIR=" + Utils.getEngineCacheDir());
    command.add("-Dsharnn.device=" + DEVICE);
    command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(Training.class.getName());
    command.addAll(List.of(corpus.toString(), run.toString(), losses.toString(), "" + STEPS));
    return new ProcessBuilder(command).inheritIO().start();
  }

  @Test
  void killed_runs_go_on_to_the_last_bit() throws Exception {
    Path corpus = Tiny.file(folder, Tiny.text(20_000));
    TreeMap<Long, String> expected = new TreeMap<>();
    Training.train(
        Corpus.open(corpus),
        CheckpointPolicy.in(folder.resolve("alone")).every(Duration.ZERO),
        STEPS,
        line -> expected.put(step(line), line));

    Path run = folder.resolve("killed");
    Path losses = folder.resolve("losses.txt");
    Random random = new Random(KILLS);
    int kills = 0;
    int unfinished = 0;
    while (true) {
      long lines = count(losses);
      Process process = start(corpus, run, losses);
      if (kills < KILLS) {
        await(process, () -> count(losses) > lines + 5 + random.nextInt(30));
        if (kills % 2 == 0) {
          await(process, () -> isSaving(run));
        }
        process.destroyForcibly();
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        kills++;
        unfinished += isSaving(run) ? 1 : 0;
        for (Path checkpoint : Checkpoint.list(run)) {
          assertThat(Checkpoint.read(checkpoint).step()).isPositive(); // checks every byte
        }
      } else {
        assertThat(process.waitFor()).isZero();
        break;
      }
    }
    TreeMap<Long, String> actual = new TreeMap<>();
    int repeated = 0;
    for (String line : Files.readAllLines(losses)) {
      repeated += actual.put(step(line), line) == null ? 0 : 1;
      assertSame(line, expected.get(step(line)));
    }
    assertThat(actual.keySet()).isEqualTo(expected.keySet());
    assertThat(repeated).as("two intervals are lost at most").isBetween(1, 2 * INTERVAL * KILLS);
    System.out.printf(
        Locale.ROOT,
        "%d kills, %d of them in the middle of a save; %d steps, %d of them done again, all as in"
            + " the uninterrupted run%n",
        kills,
        unfinished,
        STEPS,
        repeated);
  }

  private static void assertSame(String actual, String expected) {
    if (DEVICE.equals("cpu")) {
      assertThat(actual).isEqualTo(expected);
    } else {
      double loss = Double.parseDouble(expected.split(" ")[1]);
      assertThat(Double.parseDouble(actual.split(" ")[1]))
          .isCloseTo(loss, within(GPU_TOLERANCE * loss));
    }
  }

  private static long step(String line) {
    return Long.parseLong(line.split(" ")[0]);
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  private static void await(Process process, Condition condition)
      throws IOException, InterruptedException {
    while (!condition.holds()) {
      assertThat(process.isAlive()).as("the process ended by itself").isTrue();
      Thread.sleep(1);
    }
  }

  private static long count(Path losses) throws IOException {
    if (!Files.exists(losses)) {
      return 0;
    }
    try (Stream<String> lines = Files.lines(losses)) {
      return lines.count();
    }
  }

  private static boolean isSaving(Path run) throws IOException {
    try (Stream<Path> paths = Files.list(run)) {
      return paths.anyMatch(path -> path.getFileName().toString().endsWith(".tmp"));
    }
  }
}
