package io.github.sharnn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Runs whose folder or metrics file goes away while they train. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "keeps open files from being moved")
class LostFolderTest extends TrainedModelTest {

  private static final int STEPS = 150;

  @TempDir private Path folder;

  /** Trains, and moves a file or folder away after the first line of the metrics. */
  private Outcome trainWithout(Path output, Path lost) {
    Path metrics = output.resolve("metrics.jsonl");
    CompletableFuture<Void> moved =
        CompletableFuture.runAsync(
            () -> {
              try {
                while (!Files.exists(metrics) || Files.size(metrics) == 0) {
                  Thread.sleep(1);
                }
                Files.move(lost, folder.resolve("moved"));
              } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    Outcome outcome = train("--output", output, "--steps", STEPS);
    moved.join();
    return outcome;
  }

  @Test
  void a_lost_folder_is_an_error_and_the_model_is_saved_beside_it() throws Exception {
    Path run = folder.resolve("run");
    Path taken = folder.resolve("run-rescued");
    Files.createSymbolicLink(taken, folder.resolve("none"));
    Outcome outcome = trainWithout(run, run);
    assertThat(outcome.code()).isEqualTo(1);
    Path rescued = folder.resolve("run-rescued-2");
    assertThat(outcome.out()).contains("step " + STEPS, "saved in " + rescued);
    assertThat(outcome.err())
        .contains("error: the folder " + run + " was deleted, moved or replaced during the run")
        .contains("the trained model alone is in " + rescued);
    assertThat(run).doesNotExist();
    try (Model model = SHARNN.load(rescued)) {
      assertThat(SHARNN.of(model).config().embeddingSize()).isEqualTo(16);
    }
  }

  @Test
  void a_lost_metrics_file_is_an_error_after_the_model_is_saved() throws Exception {
    Path run = folder.resolve("run");
    Path metrics = run.resolve("metrics.jsonl");
    Outcome outcome = trainWithout(run, metrics);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err())
        .contains("error: " + metrics + " was deleted, moved or replaced during the run");
    assertThat(outcome.out()).contains("saved in " + run);
    assertThat(metrics).doesNotExist();
    SHARNN.load(run).close();
  }
}
