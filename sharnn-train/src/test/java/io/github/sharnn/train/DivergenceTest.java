package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import com.google.gson.JsonParser;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.FusedOptimizer;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class DivergenceTest {

  @TempDir Path folder;
  private Path run;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 3_000);
    run = folder.resolve("run");
  }

  private FitResult fit(
      CheckpointPolicy policy, Tracker rate, long steps, Consumer<StepReport> onStep) {
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      return Tiny.trainer(model)
          .learningRate(rate)
          .checkpoints(policy)
          .onStep(
              report -> {
                onStep.accept(report);
                if (report.step() == 10 && report.learningRate() == 1e-2f) {
                  poison(model);
                }
              })
          .build()
          .fit(corpus, Budget.steps(steps));
    }
  }

  private boolean poisons;

  private void poison(Model model) {
    if (poisons) {
      try (NDArray alias =
          model.getBlock().getParameters().get("outputBias").getArray().stopGradient()) {
        alias.addi(Float.NaN);
      }
    }
  }

  @Test
  void goes_back_to_the_last_good_checkpoint_with_half_the_learning_rate() throws Exception {
    poisons = true;
    Path file = folder.resolve("metrics.jsonl");
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(4).skippedSteps(5);
    FitResult result;
    try (MetricsFile metrics = new MetricsFile(file)) {
      result = fit(policy, Tracker.fixed(1e-2f), 20, metrics);
    }
    List<Long> all = LongStream.rangeClosed(1, 20).boxed().toList();
    assertThat(result.history()).extracting(StepReport::step).isEqualTo(all);
    assertThat(result.history()).allSatisfy(r -> assertThat(r.trainBpc()).isFinite());
    assertThat(result.history())
        .extracting(StepReport::learningRate)
        .startsWith(1e-2f)
        .containsSubsequence(1e-2f, 5e-3f)
        .endsWith(5e-3f);
    assertThat(result.history().get(7).learningRate()).as("step 8").isEqualTo(1e-2f);
    assertThat(result.history().get(8).learningRate()).as("step 9").isEqualTo(5e-3f);
    assertThat(Files.readAllLines(file))
        .extracting(line -> JsonParser.parseString(line).getAsJsonObject().get("step").getAsLong())
        .isEqualTo(all);
    assertThat(Checkpoint.open(run).divergence().rollbacks()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  void an_optimizer_that_is_given_goes_back_as_the_trainers_own_does(OptimizerSettings.Type type) {
    List<List<Double>> runs = new ArrayList<>();
    for (boolean given : List.of(false, true)) {
      try (Model model = Tiny.model(Tiny.sharnn(), 1);
          FusedOptimizer optimizer = OptimizerSettings.of(type).create(Tracker.fixed(1e-2f))) {
        boolean[] poisoned = {false};
        poisons = true;
        SHARNNTrainer.Builder trainer =
            (given
                    ? Tiny.trainer(model).optimizer(optimizer)
                    : Tiny.trainer(model)
                        .learningRate(Tracker.fixed(1e-2f))
                        .optimizer(OptimizerSettings.of(type)))
                .checkpoints(
                    CheckpointPolicy.in(run.resolve("" + given)).everySteps(4).skippedSteps(2))
                .onStep(
                    report -> {
                      if (report.step() == 6 && !poisoned[0]) {
                        poisoned[0] = true;
                        poison(model);
                      }
                    });
        FitResult result = trainer.build().fit(corpus, Budget.steps(10));
        assertThat(poisoned[0]).isTrue();
        runs.add(result.history().stream().map(StepReport::trainBpc).toList());
      }
    }
    assertThat(runs.get(1)).isEqualTo(runs.get(0));
  }

  @Test
  void goes_back_to_an_older_checkpoint_where_the_step_after_the_newest_was_skipped() {
    poisons = true; // before step 10 is saved, whose own loss was good
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(5).skippedSteps(3);
    List<Long> steps = new ArrayList<>();
    FitResult result = fit(policy, Tracker.fixed(1e-2f), 20, r -> steps.add(r.step()));
    assertThat(steps).startsWith(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L, 11L, 12L, 6L);
    assertThat(result.history()).hasSize(20);
  }

  @Test
  void goes_back_to_the_step_before_the_first_skipped_one_where_there_is_no_older_checkpoint() {
    poisons = true;
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(10).skippedSteps(3);
    assertThatThrownBy(() -> fit(policy, Tracker.fixed(1e-2f), 20, report -> {}))
        .isInstanceOf(TrainingDivergedException.class)
        .hasMessageContaining("used 3 of 3 rollbacks")
        .hasMessageContaining("checkpoint-1-00000010");
  }

  @Test
  void what_a_listener_ended_leaves_no_gradients_to_the_steps_after_it() {
    List<List<Double>> norms = new ArrayList<>();
    for (boolean ended : List.of(true, false)) {
      boolean[] throwsNow = {ended};
      TrainingListener listener =
          new TrainingListenerAdapter() {
            private int batches;

            @Override
            public void onTrainingBatch(Trainer trainer, BatchData batchData) {
              if (++batches == 5 && throwsNow[0]) {
                throw new TrainingDivergedException("a listener's own reason");
              }
            }
          };
      try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
        FitResult result =
            Tiny.trainer(model)
                .learningRate(Tracker.fixed(1e-2f))
                .checkpoints(CheckpointPolicy.in(run.resolve("" + ended)).everySteps(4))
                .listeners(listener)
                .build()
                .fit(corpus, Budget.steps(5));
        norms.add(result.history().stream().map(StepReport::gradientNorm).toList());
      }
    }
    assertThat(norms.get(0)).isEqualTo(norms.get(1));
  }

  @Test
  void gives_up_where_the_loss_stays_far_above_its_mean() {
    Tracker rate = step -> step <= 30 ? 1e-2f : 1e4f;
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(10).rollbacks(2);
    long[] steps = {0};
    assertThatThrownBy(() -> fit(policy, rate, 2_000, report -> steps[0]++))
        .isInstanceOf(TrainingDivergedException.class)
        .hasMessageContaining("training diverged at step 13")
        .hasMessageContaining("100 steps in a row with a loss more than 1.5 times its running mean")
        .hasMessageContaining("used 2 of 2 rollbacks")
        .hasMessageContaining("checkpoint-1-00000030");
    assertThat(steps[0]).isGreaterThan(3 * 95);
  }

  @Test
  void ends_the_run_where_there_is_nothing_to_go_back_to() {
    poisons = true;
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(50).skippedSteps(3);
    assertThatThrownBy(() -> fit(policy, Tracker.fixed(1e-2f), 40, report -> {}))
        .isInstanceOf(TrainingDivergedException.class)
        .hasMessageContaining("training diverged at step 13: 3 skipped steps in a row")
        .hasMessageContaining("no good checkpoint of this stage to go back to");
  }

  @Test
  void says_at_which_step_it_diverged() {
    try (Model model = Tiny.model(Tiny.sharnn(), 5)) {
      model.getBlock().getParameters().valueAt(0).getArray().muli(Float.NaN);
      assertThatThrownBy(() -> Tiny.trainer(model).build().fit(corpus, Budget.steps(5)))
          .isInstanceOf(TrainingDivergedException.class)
          .hasMessageContaining("training diverged at step 1")
          .hasMessageContaining("loss NaN")
          .hasMessageContaining("lower the learning rate or warm up longer");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 5})
  void an_absurd_learning_rate_diverges_even_in_the_last_step(long steps) {
    Optimizer absurd = Optimizer.sgd().setLearningRateTracker(Tracker.fixed(1e38f)).build();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      SHARNNTrainer trainer = Tiny.trainer(model).optimizer(absurd).clipNorm(1e6).build();
      assertThatThrownBy(() -> trainer.fit(corpus, Budget.steps(steps)))
          .isInstanceOf(TrainingDivergedException.class)
          .hasMessageContaining("training diverged at step");
    }
  }

  @Test
  void a_run_that_diverged_leaves_nothing_to_the_next() {
    try (Model model = Tiny.model(Tiny.sharnn(), 5);
        Model fresh = Tiny.model(Tiny.sharnn(), 5)) {
      NDArray bias = model.getBlock().getParameters().get("outputBias").getArray();
      try (NDArray alias = bias.stopGradient()) {
        alias.addi(Float.NaN);
        assertThatThrownBy(() -> Tiny.trainer(model).build().fit(corpus, Budget.steps(5)))
            .isInstanceOf(TrainingDivergedException.class);
        alias.set(new NDIndex("..."), 0f);
      }
      Tracker rate = Tracker.fixed(5e-2f);
      FitResult expected =
          Tiny.trainer(fresh).learningRate(rate).build().fit(corpus, Budget.steps(3));
      FitResult actual =
          Tiny.trainer(model).learningRate(rate).build().fit(corpus, Budget.steps(3));
      assertThat(actual.history())
          .extracting(StepReport::gradientNorm)
          .isEqualTo(expected.history().stream().map(StepReport::gradientNorm).toList());
    }
  }
}
