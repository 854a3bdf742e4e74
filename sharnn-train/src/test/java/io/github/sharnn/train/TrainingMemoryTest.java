package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Model;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Training of any length holds as much at its end as near its beginning. {@code docs/reliability.sh
 * soak} does more steps.
 */
class TrainingMemoryTest {

  private static final double NOISE_MEBIBYTES = 16;
  private static final int NOISE_HANDLES = 3; // a leak has one for each of the 15 checkpoints

  /** The resources of the process; only arrays and threads if the system reports no more. */
  private record Held(int arrays, int threads, double mebibytes, long files) {

    static Held now() throws Exception {
      awaitCheckpoint();
      System.gc(); // or the Java heap would grow and with it the resident size
      boolean known = NativeMemory.residentSizeIsKnown();
      return new Held(
          NativeMemory.arrays(),
          ManagementFactory.getThreadMXBean().getThreadCount(),
          known ? NativeMemory.residentMebibytes() : 0,
          known ? openFiles() : 0);
    }

    private static long openFiles() throws IOException {
      try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
        return files.count();
      }
    }

    private static void awaitCheckpoint() throws InterruptedException {
      while (Thread.getAllStackTraces().keySet().stream()
          .anyMatch(
              thread ->
                  thread.getName().equals("checkpoint-writer")
                      && thread.getState() != Thread.State.WAITING)) {
        Thread.sleep(1);
      }
    }
  }

  @Test
  void stays_the_same_over_2000_steps(@TempDir Path folder) throws Exception {
    Map<Long, Held> held = new HashMap<>();
    Corpus corpus = Tiny.corpus(folder, 20_000);
    try (Model model = Tiny.sharnn().dropouts(0.1f).weightDrop(0.1f).build().newModel("tiny")) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(10).build();
      SHARNNTrainer.builder(model)
          .batchSize(2)
          .sequenceLength(16)
          .evaluationInterval(25)
          .learningRate(Tracker.fixed(1e-3f))
          .checkpoints(CheckpointPolicy.in(folder.resolve("run")).everySteps(100))
          .onStep(
              report -> {
                if (report.evaluated()) {
                  generator.generate("single ");
                }
                if (report.step() % 500 == 0) {
                  try {
                    held.put(report.step(), Held.now());
                  } catch (Exception e) {
                    throw new AssertionError(e);
                  }
                }
              })
          .build()
          .fit(corpus, Budget.steps(2_000));
    }
    Held before = held.get(500L);
    Held after = held.get(2_000L);
    assertThat(after.arrays()).as("native arrays").isPositive().isEqualTo(before.arrays());
    assertThat(after.threads() - before.threads()).as("new threads").isLessThan(NOISE_HANDLES);
    assumeThat(NativeMemory.residentSizeIsKnown()).isTrue();
    assertThat(after.files() - before.files()).as("new open files").isLessThan(NOISE_HANDLES);
    assertThat(after.mebibytes() - before.mebibytes())
        .as("growth of the resident size in MiB, from %s", before)
        .isLessThan(NOISE_MEBIBYTES);
  }
}
