package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.training.tracker.Tracker;
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
}
