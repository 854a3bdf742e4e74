package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Model;
import ai.djl.training.tracker.Tracker;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training of any length holds as much memory at its end as near its beginning. */
class TrainingMemoryTest {

  private static final double NOISE_MEBIBYTES = 32; // of the allocator: 22 kB a step

  @Test
  void stays_the_same_over_2000_steps(@TempDir Path folder) throws Exception {
    Map<Long, Integer> arrays = new HashMap<>();
    Map<Long, Double> resident = new HashMap<>();
    boolean residentSizeIsKnown = NativeMemory.residentSizeIsKnown();
    Corpus corpus = Tiny.corpus(folder, 20_000);
    try (Model model = Tiny.sharnn().dropouts(0.1f).weightDrop(0.1f).build().newModel("tiny")) {
      SHARNNTrainer.builder(model)
          .batchSize(2)
          .sequenceLength(16)
          .evaluationInterval(25)
          .learningRate(Tracker.fixed(1e-3f))
          .onStep(
              report -> {
                long step = report.step();
                if (step % 100 == 0) {
                  System.gc(); // or the Java heap would grow and with it the resident size
                }
                if (step == 50 || step == 500 || step == 2_000) {
                  arrays.put(step, NativeMemory.arrays());
                  if (residentSizeIsKnown) {
                    resident.put(step, NativeMemory.residentMebibytes());
                  }
                }
              })
          .build()
          .fit(corpus, Budget.steps(2_000));
    }
    assertThat(arrays.get(2_000L)).as("native arrays").isPositive().isEqualTo(arrays.get(50L));
    assumeThat(residentSizeIsKnown).isTrue();
    assertThat(resident.get(2_000L) - resident.get(500L))
        .as("growth of the resident size in MiB, from %s", resident.get(500L))
        .isLessThan(NOISE_MEBIBYTES);
  }
}
