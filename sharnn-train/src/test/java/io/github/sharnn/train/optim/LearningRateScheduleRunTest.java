package io.github.sharnn.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Runs of a trainer with a schedule that needs the budget or the validation figures. */
class LearningRateScheduleRunTest {

  @Test
  void a_run_lowers_its_rate_where_validation_stops_improving(@TempDir Path folder)
      throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    LearningRateSchedule schedule = LearningRateSchedule.peak(0.5f).plateau(0.5f, 2); // too high
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      List<StepReport> history =
          Tiny.trainer(model)
              .evaluationInterval(1)
              .learningRate(schedule)
              .build()
              .fit(corpus, Budget.steps(20))
              .history();
      List<Double> figures = history.stream().map(StepReport::validationBpc).toList();
      for (int s = 1; s <= 20; s++) {
        double expected =
            0.5
                * Math.pow(
                    0.5, LearningRateScheduleTest.plateaus(schedule, figures.subList(0, s - 1)));
        assertThat((double) history.get(s - 1).learningRate()).isCloseTo(expected, within(1e-8));
      }
      assertThat(LearningRateScheduleTest.plateaus(schedule, figures)).isPositive();
    }
  }

  private static FitResult run(Model model, Corpus corpus, Tracker tracker, Budget budget) {
    return Tiny.trainer(model).learningRate(tracker).build().fit(corpus, budget);
  }

  @Test
  void a_run_of_steps_follows_the_cosine(@TempDir Path folder) throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    LearningRateSchedule schedule = LearningRateSchedule.peak(5e-2f).warmUp(3).cosine();
    Tracker written = s -> (float) LearningRateScheduleTest.cosine(5e-2f, 0, 3, 20, s);
    try (Model model = Tiny.model(Tiny.sharnn(), 1);
        Model same = Tiny.model(Tiny.sharnn(), 1)) {
      FitResult result = run(model, corpus, schedule, Budget.steps(20));
      run(same, corpus, written, Budget.steps(20));
      for (StepReport report : result.history()) {
        assertThat(report.learningRate())
            .isCloseTo(written.getNewValue((int) report.step()), within(1e-8f));
      }
      Map<String, float[]> expected = Tiny.weights(same.getBlock());
      Tiny.weights(model.getBlock())
          .forEach(
              (name, values) ->
                  assertThat(values).containsExactly(expected.get(name), within(1e-6f)));
    }
  }

  static List<Budget> budgets() {
    return List.of(Budget.epochs(2), Budget.time(Duration.ofMillis(400)));
  }

  @ParameterizedTest
  @MethodSource("budgets")
  void a_run_of_epochs_or_time_falls_as_its_budget_is_used(Budget budget, @TempDir Path folder)
      throws Exception {
    Corpus corpus = Tiny.corpus(folder, 1_500);
    int warmUp = 5;
    LearningRateSchedule schedule = LearningRateSchedule.peak(1e-2f).warmUp(warmUp).cosine(1e-3f);
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      List<StepReport> history = run(model, corpus, schedule, budget).history();
      for (int i = 0; i < history.size(); i++) {
        double expected = 1e-2 * Math.min(i + 1, warmUp) / warmUp;
        if (i > warmUp) {
          double used = history.get(i - 1).used();
          double start = used / i * warmUp;
          double fallen = (used - start) / (1 - start);
          expected = 1e-3 + 9e-3 * 0.5 * (1 + Math.cos(Math.PI * fallen));
        }
        assertThat((double) history.get(i).learningRate())
            .as("step %s", i + 1)
            .isCloseTo(expected, within(1e-8));
      }
      if (budget.unit() == Budget.Unit.EPOCHS) {
        assertThat(history.get(history.size() - 1).learningRate())
            .isBetween(1e-3f, 1.1e-3f); // the last of some 40 steps
      }
    }
  }
}
