package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListener.BatchData;
import ai.djl.training.listener.TrainingListenerAdapter;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.DynamicEvaluation;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InterruptTest {

  @TempDir Path folder;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 1_000);
  }

  @AfterEach
  void clear() {
    Thread.interrupted();
  }

  private static SHARNNTrainer.Builder trainer(Model model) {
    return Tiny.trainer(model).learningRate(LearningRateSchedule.peak(2e-2f)).evaluationInterval(4);
  }

  private static void interruptAfter(StepReport report, int step) {
    if (report.step() == step) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void a_cancelled_run_ends_soon_with_its_history_and_its_best_weights() throws Exception {
    ExecutorService executor = Executors.newSingleThreadExecutor();
    CountDownLatch trained = new CountDownLatch(20);
    List<FitResult> results = new ArrayList<>();
    List<Boolean> interrupted = new ArrayList<>();
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      SHARNNTrainer trainer = trainer(model).onStep(report -> trained.countDown()).build();
      Future<?> running =
          executor.submit(
              () -> {
                results.add(trainer.fit(corpus, Budget.steps(10_000_000)));
                interrupted.add(Thread.currentThread().isInterrupted());
              });
      trained.await();
      running.cancel(true);
      executor.shutdown();
      assertThat(executor.awaitTermination(5, TimeUnit.SECONDS)).isTrue();
      FitResult result = results.get(0);
      assertThat(result.end()).isEqualTo(FitResult.End.INTERRUPTED);
      assertThat(result.isComplete()).isFalse();
      assertThat(result.checkpoint()).isNull();
      assertThat(interrupted).containsExactly(true);
      assertThat(result.history()).hasSizeBetween(20, 100_000);
      assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(result.best().validationBpc());
    }
  }

  @Test
  void says_how_a_run_ended() {
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      FitResult used = trainer(model).build().fit(corpus, Budget.steps(5));
      assertThat(used.end()).isEqualTo(FitResult.End.BUDGET_USED);
      FitResult early =
          trainer(model)
              .learningRate(LearningRateSchedule.peak(1f))
              .build()
              .fit(corpus, Budget.steps(100).patience(1));
      assertThat(early.end()).isEqualTo(FitResult.End.STOPPED_EARLY);
      assertThat(early.history()).hasSizeLessThan(100);
      int[] steps = {0};
      FitResult stopped =
          trainer(model).stopWhen(() -> ++steps[0] == 3).build().fit(corpus, Budget.steps(9));
      assertThat(stopped.end()).isEqualTo(FitResult.End.STOPPED);
      assertThat(stopped.history()).hasSize(3);
      assertThat(stopped.last().step()).isEqualTo(3);
      assertThatThrownBy(stopped::best)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("the run ended at step 3, before its first evaluation");
    }
  }

  @Test
  void an_interrupted_first_stage_is_the_last_one() {
    List<TrainingStage> stages =
        List.of(
            new TrainingStage(LearningRateSchedule.peak(2e-2f), Budget.steps(6)),
            new TrainingStage(LearningRateSchedule.peak(1e-2f), Budget.steps(6)));
    for (int step : new int[] {1, 5}) { // before and after the first evaluation
      try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
        List<FitResult> results =
            trainer(model).onStep(r -> interruptAfter(r, step)).build().fit(corpus, stages);
        assertThat(Thread.interrupted()).isTrue();
        assertThat(results).hasSize(1);
        assertThat(results.get(0).end()).isEqualTo(FitResult.End.INTERRUPTED);
        assertThat(results.get(0).last().step()).isEqualTo(step);
      }
    }
  }

  /** Every step is interrupted, and each run does one more: metrics and checkpoints are written. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void an_interrupted_run_resumes_to_the_last_bit(boolean duringEvaluation) throws Exception {
    Map<String, float[]> expected;
    List<Double> figures = new ArrayList<>();
    try (Model model = Tiny.sharnn().dropouts(0.2f).build().newModel("tiny")) {
      trainer(model)
          .onStep(report -> figures.add(report.trainBpc()))
          .build()
          .fit(corpus, Budget.steps(9));
      expected = Tiny.weights(model.getBlock());
    }
    Path run = folder.resolve("run");
    Path file = folder.resolve("metrics.jsonl");
    List<Double> actual = new ArrayList<>();
    List<FitResult.End> ends = new ArrayList<>();
    FitResult result = null;
    while (result == null || !result.isComplete()) {
      try (Model model = Tiny.sharnn().dropouts(0.2f).build().newModel("tiny");
          MetricsFile metrics =
              result == null
                  ? new MetricsFile(file)
                  : MetricsFile.resume(file, null, Checkpoint.open(run))) {
        result =
            trainer(model)
                .checkpoints(CheckpointPolicy.in(run).every(Duration.ZERO).resume())
                .listeners(
                    new TrainingListenerAdapter() {
                      @Override
                      public void onValidationBatch(Trainer trainer, BatchData batch) {
                        if (duringEvaluation) {
                          Thread.currentThread().interrupt();
                        }
                      }
                    })
                .onStep(
                    report -> {
                      if (!duringEvaluation) {
                        Thread.currentThread().interrupt();
                      }
                      metrics.accept(report);
                      actual.add(report.trainBpc());
                    })
                .build()
                .fit(corpus, Budget.steps(9));
        ends.add(result.end());
        assertThat(Thread.interrupted()).isTrue();
        if (result.isComplete()) {
          Tiny.assertSameWeights(Tiny.weights(model.getBlock()), expected);
        } else {
          assertThat(result.checkpoint()).isDirectory();
        }
      }
    }
    assertThat(actual).isEqualTo(figures);
    assertThat(ends).hasSize(duringEvaluation ? 3 : 9).endsWith(FitResult.End.BUDGET_USED);
    assertThat(Files.readAllLines(file)).hasSize(9);
  }

  @Test
  void an_interrupt_gives_up_an_evaluation_and_keeps_the_weights() {
    Map<String, float[]> expected;
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      trainer(model).build().fit(corpus, Budget.steps(4)); // evaluated, hence the last weights
      expected = Tiny.weights(model.getBlock());
    }
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      FitResult result =
          trainer(model)
              .listeners(
                  new TrainingListenerAdapter() {
                    @Override
                    public void onValidationBatch(Trainer trainer, BatchData batch) {
                      Thread.currentThread().interrupt();
                    }
                  })
              .build()
              .fit(corpus, Budget.steps(4));
      assertThat(Thread.interrupted()).isTrue();
      assertThat(result.end()).isEqualTo(FitResult.End.INTERRUPTED);
      assertThat(result.last().step()).isEqualTo(4);
      assertThat(result.evaluations()).isEmpty();
      Tiny.assertSameWeights(Tiny.weights(model.getBlock()), expected);
    }
  }

  @Test
  void evaluations_end_with_an_exception_and_files_are_read_and_written_all_the_same()
      throws Exception {
    Path saved = folder.resolve("model");
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      Map<String, float[]> expected = Tiny.weights(model.getBlock());
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> Evaluation.of(model, corpus.validation()))
          .isInstanceOf(CancellationException.class)
          .hasMessage("the thread was interrupted");
      DynamicEvaluation.Settings settings = DynamicEvaluation.Settings.DEFAULT.sequenceLength(16);
      assertThatThrownBy(
              () -> DynamicEvaluation.of(model, corpus.train(), corpus.validation(), settings))
          .isInstanceOf(CancellationException.class);
      model.save(saved, null);
      try (Model loaded = SHARNN.load(saved)) {
        Tiny.assertSameWeights(Tiny.weights(loaded.getBlock()), expected);
      }
      try (Model loaded = Tiny.sharnn().build().newModel("tiny")) {
        loaded.load(saved);
        Tiny.assertSameWeights(Tiny.weights(loaded.getBlock()), expected);
      }
      assertThat(Thread.interrupted()).isTrue();
      assertThat(Evaluation.of(model, corpus.validation()).bitsPerCharacter()).isFinite();
    }
  }
}
