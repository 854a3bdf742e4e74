package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.Model;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BudgetTest {

  @Test
  void counts_its_own_unit() {
    assertThat(Budget.epochs(4).used(3, 1_000, 1_000)).isEqualTo(0.75);
    assertThat(Budget.steps(1_000).used(3, 250, 1_000)).isEqualTo(0.25);
    assertThat(Budget.time(Duration.ofSeconds(2)).used(3, 1_000, 1_000_000_000)).isEqualTo(0.5);
  }

  @Test
  void must_be_above_0() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.epochs(0))
        .withMessage("a budget of epochs must be above 0, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.steps(-5))
        .withMessage("a budget of steps must be above 0, but is -5");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.time(Duration.ZERO))
        .withMessage("a budget of time must be above 0, but is 0");
  }

  @Test
  void patience_must_not_be_negative() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.steps(5).patience(-1))
        .withMessage("patience must be at least 0, but is -1");
  }

  /** A rate that learns and then, after 20 steps, destroys. */
  private static FitResult run(Model model, Corpus corpus, Budget budget) {
    return Tiny.trainer(model)
        .evaluationInterval(5)
        .learningRate(step -> step <= 20 ? 5e-2f : 1f)
        .build()
        .fit(corpus, budget);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void patience_ends_a_run_that_no_longer_improves(int patience, @TempDir Path folder)
      throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result = run(model, corpus, Budget.steps(500).patience(patience));
      double best = Double.POSITIVE_INFINITY;
      int stale = 0;
      for (StepReport report : result.evaluations()) {
        assertThat(stale).as("before step %s", report.step()).isLessThan(patience);
        stale = report.validationBpc() < best ? 0 : stale + 1;
        best = Math.min(best, report.validationBpc());
      }
      assertThat(stale).isEqualTo(patience);
      assertThat(result.last().evaluated()).isTrue();
      assertThat(result.last().step()).isLessThan(200L);
      assertThat(result.last().used()).isEqualTo(result.last().step() / 500.0);
      assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(best);
    }
  }

  @Test
  void a_budget_without_patience_is_used_whole(@TempDir Path folder) throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThat(run(model, corpus, Budget.steps(60)).last().step()).isEqualTo(60);
    }
  }

  @Test
  void refuses_a_time_beyond_any_run() {
    Duration endless = Duration.ofSeconds(Long.MAX_VALUE);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.time(endless))
        .withMessageContaining("a budget of time must be at most 100 years, but is " + endless);
    assertThat(Budget.time(Duration.ofDays(36_525)).unit()).isEqualTo(Budget.Unit.TIME);
  }
}
