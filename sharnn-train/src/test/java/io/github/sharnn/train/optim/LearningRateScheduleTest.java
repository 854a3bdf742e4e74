package io.github.sharnn.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.training.tracker.Tracker;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LearningRateScheduleTest {

  @ParameterizedTest
  @CsvSource({"2e-3, 800, 0", "2e-3, 800, 2000", "1e-3, 1, 5", "5e-2, 100, 50", "1, 0, 7"})
  void follows_the_recipe(float peak, int warmUp, int cooldown) {
    LearningRateSchedule schedule =
        LearningRateSchedule.peak(peak).warmUp(warmUp).cooldown(cooldown);
    for (int s = 1; s <= 5000; s++) {
      double warm = warmUp == 0 ? 1 : Math.min(s, warmUp) / (double) warmUp;
      double cool = 0;
      if (cooldown > 0 && s > cooldown) {
        cool = s > 2 * cooldown ? 1 : (s - cooldown) / (double) cooldown;
      }
      double expected = peak * Math.max(warm - cool, 0);
      assertThat((double) schedule.getNewValue(s))
          .as("step %s", s)
          .isCloseTo(expected, within(1e-7 * peak));
    }
  }

  @Test
  void falls_to_0_at_twice_the_cooldown_and_stays_there() {
    LearningRateSchedule schedule = LearningRateSchedule.peak(4).cooldown(10);
    assertThat(schedule.getNewValue(10)).isEqualTo(4);
    assertThat(schedule.getNewValue(15)).isEqualTo(2);
    assertThat(schedule.getNewValue(20)).isZero();
    assertThat(schedule.getNewValue(1000)).isZero();
  }

  @Test
  void warms_up_as_the_stock_tracker_does() {
    Tracker stock =
        Tracker.warmUp().setMainTracker(Tracker.fixed(2e-3f)).optWarmUpSteps(800).build();
    LearningRateSchedule schedule = LearningRateSchedule.peak(2e-3f).warmUp(800);
    for (int s = 1; s <= 2000; s++) {
      assertThat(schedule.getNewValue(s))
          .as("step %s", s)
          .isCloseTo(stock.getNewValue(s), Percentage.withPercentage(2e-5));
    }
  }

  @Test
  void divides_by_10_after_each_decay_step() {
    LearningRateSchedule schedule = LearningRateSchedule.peak(1).decayAfter(100, 50);
    assertThat(schedule.getNewValue(50)).isEqualTo(1);
    assertThat(schedule.getNewValue(51)).isEqualTo(0.1f);
    assertThat(schedule.getNewValue(100)).isEqualTo(0.1f);
    assertThat(schedule.getNewValue(101)).isEqualTo(0.01f);
  }

  @ParameterizedTest
  @CsvSource({"2e-3, 0, 20, 35", "1, 10, 5, 50", "3e-4, 4, 1, 2"})
  void falls_in_steps_as_in_double_precision(float peak, int warmUp, int first, int second) {
    LearningRateSchedule schedule =
        LearningRateSchedule.peak(peak).warmUp(warmUp).decayAfter(first, second);
    double expected = peak;
    for (int s = 1; s <= 50; s++) {
      double warm = s < warmUp ? s / (double) warmUp : 1;
      assertThat((double) schedule.getNewValue(s))
          .as("step %s", s)
          .isCloseTo(expected * warm, within(1e-7 * expected));
      expected /= s == first || s == second ? 10 : 1;
    }
  }

  @Test
  void combines_warm_up_and_decay_in_any_order_of_calls() {
    LearningRateSchedule one = LearningRateSchedule.peak(1).warmUp(100).decayAfter(50).cooldown(90);
    assertThat(one).isEqualTo(LearningRateSchedule.peak(1).cooldown(90).decayAfter(50).warmUp(100));
    assertThat(one.getNewValue(50)).isEqualTo(0.5f);
    assertThat(one.getNewValue(60)).isEqualTo(0.06f);
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY})
  void refuses_a_rate_that_is_not_positive_and_finite(float rate) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LearningRateSchedule.peak(rate))
        .withMessage("the learning rate must be above 0 and finite, but is " + rate);
  }

  @Test
  void refuses_negative_steps() {
    LearningRateSchedule schedule = LearningRateSchedule.peak(1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> schedule.warmUp(-1))
        .withMessage("warmUpSteps must be at least 0, but is -1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> schedule.cooldown(-2))
        .withMessage("cooldownSteps must be at least 0, but is -2");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> schedule.decayAfter(10, 0))
        .withMessage("decay steps must be at least 1, but are [10, 0]");
  }

  /** The cosine written out for a budget of so many steps. */
  static double cosine(double peak, double end, int warmUp, int steps, int s) {
    if (s <= warmUp) {
      return peak * s / warmUp;
    }
    double fallen = (s - 1 - warmUp) / (double) (steps - warmUp);
    return end + (peak - end) * 0.5 * (1 + Math.cos(Math.PI * fallen));
  }

  @ParameterizedTest
  @CsvSource({"2e-3, 0, 200, 5000", "3e-3, 1e-4, 0, 700", "1, 0.25, 1, 2", "1e-2, 0, 50, 40"})
  void falls_along_half_a_cosine_to_the_end_of_the_budget(
      float peak, float end, int warmUp, int steps) {
    LearningRateSchedule schedule = LearningRateSchedule.peak(peak).warmUp(warmUp).cosine(end);
    for (int s = 1; s <= steps; s++) {
      assertThat((double) schedule.rate(s, (s - 1) / (double) steps))
          .as("step %s", s)
          .isCloseTo(cosine(peak, end, warmUp, steps, s), within(1e-7 * peak));
    }
    if (steps > warmUp) {
      assertThat(schedule.rate(steps + 1, 1)).isEqualTo(end);
    }
  }

  @Test
  void combines_the_cosine_with_the_other_shapes() {
    LearningRateSchedule schedule =
        LearningRateSchedule.peak(4).cosine().cooldown(10).decayAfter(14);
    assertThat(schedule.rate(10, 0.5)).isEqualTo(2);
    assertThat(schedule.rate(15, 0.5)).isEqualTo(0.1f);
  }

  @Test
  void another_peak_leaves_the_rest() {
    LearningRateSchedule warm = LearningRateSchedule.peak(1).warmUp(5).cooldown(9).decayAfter(7);
    assertThat(warm.withPeak(2))
        .isEqualTo(LearningRateSchedule.peak(2).warmUp(5).cooldown(9).decayAfter(7));
    assertThat(warm.cosine(0.5f).withPeak(2))
        .isEqualTo(LearningRateSchedule.peak(2).warmUp(5).cooldown(9).decayAfter(7).cosine(0.5f));
    assertThat(warm.cosine().cosine(1)).isEqualTo(warm);
  }

  @Test
  void a_cosine_needs_a_budget() {
    LearningRateSchedule schedule = LearningRateSchedule.peak(1).cosine(0.1f);
    assertThatIllegalStateException()
        .isThrownBy(() -> schedule.getNewValue(1))
        .withMessageContaining("cosine() needs to know the budget")
        .withMessageContaining("SHARNNTrainer");
    assertThat(LearningRateSchedule.peak(1).cosine(1).getNewValue(1)).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(floats = {-0.1f, 2.1f, Float.NaN})
  void refuses_a_final_rate_outside_its_bounds(float end) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LearningRateSchedule.peak(2).cosine(end))
        .withMessage("finalRate must lie between 0 and the peak (2.0), but is " + end);
  }

  @ParameterizedTest
  @CsvSource({"2e-3, 0, 5", "1, 0.25, 0", "1e-2, 1e-3, 49"})
  void falls_along_a_line_to_the_end_of_the_budget(float peak, float end, int warmUp) {
    LearningRateSchedule schedule = LearningRateSchedule.peak(peak).warmUp(warmUp).linear(end);
    for (int s = 1; s <= 50; s++) {
      double expected = (double) peak * s / warmUp;
      if (s > warmUp) {
        expected = peak - ((double) peak - end) * (s - 1 - warmUp) / (50 - warmUp);
      }
      assertThat((double) schedule.rate(s, (s - 1) / 50.0))
          .as("step %s", s)
          .isCloseTo(expected, within(1e-7 * peak));
    }
    assertThat(schedule.rate(51, 1)).isCloseTo(end, within(1e-7f * peak));
    assertThatIllegalStateException()
        .isThrownBy(() -> schedule.getNewValue(1))
        .withMessageContaining("linear() needs to know the budget");
    assertThat(schedule.linear(peak)).isEqualTo(LearningRateSchedule.peak(peak).warmUp(warmUp));
    assertThat(schedule.cosine(end).linear(end)).isEqualTo(schedule);
    assertThat(schedule.linear().rate(51, 1)).isZero();
    assertThat(schedule.withPeak(2).fall()).isEqualTo(LearningRateSchedule.Fall.LINEAR);
  }

  @ParameterizedTest
  @CsvSource({"LINEAR, 0, 0.8, 5", "LINEAR, 1e-4, 0.5, 30", "COSINE, 1e-4, 0.3, 0"})
  void holds_the_peak_until_a_share_of_the_budget(
      LearningRateSchedule.Fall fall, float end, float share, int warmUp) {
    LearningRateSchedule falling = LearningRateSchedule.peak(2e-3f).warmUp(warmUp);
    falling = fall == LearningRateSchedule.Fall.LINEAR ? falling.linear(end) : falling.cosine(end);
    double peak = 2e-3f;
    for (int s = 1; s <= 50; s++) {
      double used = (s - 1) / 50.0;
      double start = Math.max(share, warmUp / 50.0); // the later of the two
      double fallen = Math.max(0, (used - start) / (1 - start));
      double left =
          fall == LearningRateSchedule.Fall.LINEAR
              ? 1 - fallen
              : 0.5 + 0.5 * Math.cos(Math.PI * fallen);
      double expected = s <= warmUp ? peak * s / warmUp : end + (peak - end) * left;
      assertThat((double) falling.hold(share).rate(s, used))
          .as("step %s", s)
          .isCloseTo(expected, within(1e-7 * peak));
    }
    assertThat(falling.hold(share).rate(51, 1)).isCloseTo(end, within(1e-10f));
    assertThat(falling.hold(share).hold(0)).isEqualTo(falling);
    assertThat(LearningRateSchedule.peak(1).hold(share)).isEqualTo(LearningRateSchedule.peak(1));
    LearningRateSchedule schedule = falling;
    assertThatIllegalArgumentException()
        .isThrownBy(() -> schedule.hold(1))
        .withMessage("holdUntil must be at least 0 and below 1, but is 1.0");
  }

  /** Every shape at once over 50 steps, an evaluation after each, in double precision. */
  @ParameterizedTest
  @CsvSource({"0.5, 3", "0.1, 1", "0.9, 4"})
  void lowers_the_rate_at_each_plateau(float factor, int patience) {
    LearningRateSchedule schedule =
        LearningRateSchedule.peak(2e-3f)
            .warmUp(4)
            .linear(1e-4f)
            .cooldown(40)
            .decayAfter(30)
            .plateau(factor, patience);
    Random random = new Random(patience);
    List<Double> figures = new ArrayList<>();
    CurrentLearningRate current = new CurrentLearningRate(schedule);
    double best = Double.POSITIVE_INFINITY;
    int sinceBest = 0;
    double lowered = 1;
    for (int s = 1; s <= 50; s++) {
      double level = 2e-3;
      if (s > 4) {
        level = 2e-3 - (2e-3 - 1e-4) * (s - 5) / 46.0;
      }
      double shape = Math.min(s, 4) / 4.0 - Math.max(s - 40, 0) / 40.0;
      double expected = level * shape * (s > 30 ? 0.1 : 1) * lowered;
      current.used((s - 1) / 50.0);
      assertThat((double) current.getNewValue(s))
          .as("step %s", s)
          .isCloseTo(expected, within(2e-7 * expected));
      double figure = s % 10 == 0 ? best : 3 - 0.01 * s + 0.1 * random.nextDouble();
      figures.add(figure);
      if (figure < best) {
        best = figure;
        sinceBest = 0;
      } else {
        sinceBest++;
        if (sinceBest == patience) {
          lowered *= factor;
          sinceBest = 0;
        }
      }
      current.evaluated(figure);
    }
    assertThat(lowered).as("there were plateaus").isLessThan(1);
    assertThat(plateaus(schedule, List.of())).isZero();
    assertThat(plateaus(LearningRateSchedule.peak(1), figures)).isZero();
  }

  @Test
  void a_plateau_needs_figures_and_numbers_in_their_bounds() {
    LearningRateSchedule schedule = LearningRateSchedule.peak(1).plateau(0.5f, 2);
    assertThatIllegalStateException()
        .isThrownBy(() -> schedule.getNewValue(1))
        .withMessageContaining("plateau() needs to know the validation figures");
    assertThat(schedule.plateau(0.5f, 0)).isEqualTo(LearningRateSchedule.peak(1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> schedule.plateau(1, 2))
        .withMessage("plateauFactor must be above 0 and below 1, but is 1.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> schedule.plateau(0.5f, -1))
        .withMessage("plateauPatience must be at least 0, but is -1");
  }

  /** Counts the plateaus of a series of figures. */
  static int plateaus(LearningRateSchedule schedule, List<Double> figures) {
    LearningRateSchedule.Plateaus plateaus = LearningRateSchedule.Plateaus.NONE;
    for (double figure : figures) {
      plateaus = schedule.after(plateaus, figure);
    }
    return plateaus.count();
  }
}
