package io.github.sharnn.train.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The checkpoints that a run keeps and resumes from. */
class CheckpointPolicyTest {

  @TempDir Path folder;
  private Path run;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 1_000);
    run = folder.resolve("run");
  }

  private static SHARNNConfig.Builder sharnn() {
    return Tiny.sharnn().dropouts(0.2f).memoryLength(24);
  }

  private static SHARNNTrainer.Builder trainer(Model model) {
    return Tiny.trainer(model).evaluationInterval(5);
  }

  private FitResult fit(CheckpointPolicy policy, Budget budget) {
    try (Model model = sharnn().build().newModel("tiny")) {
      return trainer(model).checkpoints(policy).build().fit(corpus, budget);
    }
  }

  @Test
  void keeps_the_last_and_the_best_and_trains_longer_where_the_budget_grows() throws Exception {
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(3).keep(2);
    FitResult first = fit(policy, Budget.steps(10));
    assertThat(first.last().step()).isEqualTo(10);
    assertThat(Checkpoint.list(run))
        .extracting(path -> path.getFileName().toString())
        .containsExactly("checkpoint-1-00000009", "checkpoint-1-00000010");
    FitResult more = fit(policy.resume(), Budget.steps(12));
    assertThat(more.history())
        .extracting(StepReport::step)
        .containsExactly(5L, 10L, 11L, 12L); // the evaluations, then what is new
    assertThat(Checkpoint.open(run).step()).isEqualTo(12);
    assertThat(Checkpoint.open(run).device()).isEqualTo("cpu");
    Checkpoint newest = Checkpoint.open(run);
    try (Model best = SHARNN.of(newest.config()).newModel("best")) {
      newest.readBest(best);
      assertThat(Tiny.evaluation(best, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(more.best().validationBpc());
    }
    assertThat(fit(policy.resume(), Budget.steps(12)).best()).isEqualTo(more.best());
  }

  @Test
  void takes_options_that_are_not_set_from_the_run_to_resume() throws Exception {
    Map<String, String> program = Map.of("--metrics", "x.jsonl");
    CheckpointPolicy policy =
        CheckpointPolicy.in(run).everySteps(2).keep(5).skippedSteps(7).rollbacks(1);
    fit(policy.program(program), Budget.steps(4));
    assertThat(Checkpoint.open(run).policy().program()).isEqualTo(program);
    fit(CheckpointPolicy.in(run).resume(), Budget.steps(9));
    assertThat(Checkpoint.list(run)).hasSize(5); // of steps 2, 4, 6, 8 and 9
    CheckpointPolicy kept = Checkpoint.open(run).policy();
    assertThat(kept)
        .isEqualTo(
            new CheckpointPolicy(
                run.toAbsolutePath(), 2, Duration.ZERO, 5, 7, 1, program, Set.of(), false, null));
    fit(CheckpointPolicy.in(run).keep(3).every(Duration.ofHours(1)).resume(), Budget.steps(12));
    CheckpointPolicy changed = Checkpoint.open(run).policy();
    assertThat(changed.keep()).isEqualTo(3); // the default, but given
    assertThat(changed.steps()).isZero();
    assertThat(changed.interval()).isEqualTo(Duration.ofHours(1));
    assertThat(changed.rollbacks()).isOne();
    assertThat(Checkpoint.list(run)).hasSize(3);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> policy.every(Duration.ofDays(40_000)))
        .withMessageContaining("above 100 years, but is PT960000H");
  }

  @Test
  void refuses_to_go_on_with_what_contradicts_the_checkpoint() throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(3), Budget.steps(6));
    Path newest = Checkpoint.open(run).folder();
    byte[] before = Files.readAllBytes(newest.resolve(CheckpointFolder.RECORD));
    SHARNN other = sharnn().memoryLength(30).dropouts(0).build();
    try (Model model = other.newModel("tiny")) {
      Corpus shorter = Tiny.corpus(folder, 900);
      SHARNNTrainer.Builder builder =
          trainer(model)
              .batchSize(2)
              .evaluationInterval(3)
              .lookahead(5, 0.5f)
              .averageDecay(0.9)
              .checkpoints(CheckpointPolicy.in(run).resume());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> builder.build().fit(shorter, Budget.steps(9)))
          .withMessageContaining("can't resume from " + newest)
          .withMessageContaining("memoryLength was 24, is now 30")
          .withMessageContaining("batchSize was 4, is now 2")
          .withMessageContaining("lookaheadSteps was 0, is now 5")
          .withMessageContaining("averageDecay was 0.0, is now 0.9")
          .withMessageContaining("train was 900, is now 810")
          .withMessageContaining("sha256 was ")
          .satisfies(
              e -> assertThat(e.getMessage()).doesNotContain("Dropout", "evaluationInterval"));
    }
    assertThat(newest.resolve(CheckpointFolder.RECORD)).hasBinaryContent(before);
    try (Model model = sharnn().dropouts(0).build().newModel("tiny")) {
      FitResult changed =
          trainer(model)
              .evaluationInterval(2)
              .learningRate(LearningRateSchedule.peak(1e-3f))
              .checkpoints(CheckpointPolicy.in(run).resume())
              .build()
              .fit(corpus, Budget.steps(8));
      assertThat(changed.last().learningRate()).isEqualTo(1e-3f);
      assertThat(changed.last().evaluated()).isTrue();
    }
  }

  @Test
  void refuses_a_folder_with_checkpoints_of_another_run_or_in_use() throws Exception {
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(3);
    fit(policy, Budget.steps(2));
    try (FileChannel lock = FileChannel.open(run.resolve(".lock"), StandardOpenOption.WRITE)) {
      assertThat(lock.tryLock()).isNotNull();
      assertThatThrownBy(() -> fit(policy.resume(), Budget.steps(4)))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining("another run is using the folder " + run);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> fit(policy, Budget.steps(4)))
        .withMessageContaining(run + " has checkpoints of a run");
  }

  @Test
  void refuses_what_it_cannot_do() {
    try (Model model = sharnn().build().newModel("tiny")) {
      SHARNNTrainer.Builder builder =
          trainer(model).optimizer(Optimizer.adam().build()).checkpoints(CheckpointPolicy.in(run));
      assertThatIllegalArgumentException()
          .isThrownBy(builder::build)
          .withMessageContaining(
              "checkpoints work only with Lamb, AdamW and Muon of this library, but the optimizer is"
                  + " ai.djl.training.optimizer.Adam");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointPolicy.in(run).keep(0))
        .withMessageContaining("at least 1, but are 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointPolicy.in(run).resumeFrom(Path.of("elsewhere/checkpoint")))
        .withMessageContaining("is not in the run's folder");
  }

  @Test
  void refuses_a_folder_that_is_none() throws Exception {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointPolicy.in(null))
        .withMessage("the folder of checkpoints must not be null");
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(() -> fit(CheckpointPolicy.in(file), Budget.steps(1)))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining(file + " is not a folder; name the one for the run's checkpoints");
  }
}
