package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs whose checkpoints can't be written for a while, or no longer. */
class UnwritableCheckpointTest {

  @TempDir Path folder;
  private Path run;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 3_000);
    run = folder.resolve("run");
  }

  private FitResult fit(CheckpointPolicy policy, long steps, Consumer<StepReport> onStep) {
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      return Tiny.trainer(model)
          .evaluationInterval(3)
          .checkpoints(policy)
          .onStep(onStep)
          .build()
          .fit(corpus, Budget.steps(steps));
    }
  }

  /** As where a disk is full or a folder becomes read-only: the folder is there no longer. */
  private Consumer<StepReport> hideRun(long from, long to) {
    Path hidden = folder.resolve("hidden");
    return report -> {
      try {
        if (report.step() == from) {
          while (Checkpoint.list(run).isEmpty() || isSaving()) {
            Thread.sleep(1);
          }
          Files.move(run, hidden);
          Files.createFile(run);
        } else if (report.step() == to) {
          Files.delete(run);
          Files.move(hidden, run);
        }
      } catch (IOException | InterruptedException e) {
        throw new AssertionError(e);
      }
    };
  }

  private boolean isSaving() throws IOException {
    try (Stream<Path> paths = Files.list(run)) {
      return paths.anyMatch(path -> path.getFileName().toString().endsWith(".tmp"));
    }
  }

  @Test
  void a_checkpoint_that_cannot_be_written_is_tried_again() throws Exception {
    FitResult result = fit(CheckpointPolicy.in(run).everySteps(4), 16, hideRun(5, 11));
    assertThat(result.last().step()).isEqualTo(16);
    assertThat(Checkpoint.list(run))
        .extracting(path -> path.getFileName().toString())
        .containsExactly("checkpoint-1-00000004", "checkpoint-1-00000012", "checkpoint-1-00000016");
    for (Path checkpoint : Checkpoint.list(run)) {
      assertThat(Checkpoint.open(checkpoint).step()).isPositive();
    }
  }

  @Test
  void a_complete_training_keeps_its_result_though_the_last_checkpoint_is_the_third_to_fail()
      throws Exception {
    FitResult result = fit(CheckpointPolicy.in(run).everySteps(4), 16, hideRun(5, -1));
    assertThat(result.last().step()).isEqualTo(16);
    assertThat(Checkpoint.open(folder.resolve("hidden")).step()).isEqualTo(4);
  }

  @Test
  void three_that_cannot_be_written_end_the_run_and_leave_the_last_good_one() throws Exception {
    long[] last = {0};
    Consumer<StepReport> hide = hideRun(5, -1);
    assertThatThrownBy(
            () ->
                fit(
                    CheckpointPolicy.in(run).everySteps(4),
                    100,
                    report -> {
                      hide.accept(report);
                      last[0] = report.step();
                    }))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("can't write the checkpoint " + run.resolve("checkpoint-1-00000016"))
        .hasMessageContaining("the ones before it are untouched");
    assertThat(last[0]).isBetween(16L, 20L);
    assertThat(Checkpoint.open(folder.resolve("hidden")).step()).isEqualTo(4);
  }
}
