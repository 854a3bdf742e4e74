package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.training.tracker.Tracker;
import java.util.List;

/**
 * The recipe's learning rate at step s, counted from 1: warm-up, cooldown and step decays.
 *
 * <pre>{@code
 * rate(s) = peak * (min(s, warmUp) / warmUp - cool(s)) / 10 ^ (number of decays before s)
 * cool(s) = clamp((s - cooldown) / cooldown, 0, 1)
 * }</pre>
 *
 * <p>So with a cooldown the rate falls from that step on and reaches 0 at twice that step.
 *
 * <pre>{@code
 * LearningRateSchedule.peak(2e-3f).warmUp(800).cooldown(30_000)
 * }</pre>
 *
 * <p>Any other DJL tracker can stand in this one's place.
 *
 * @param peak the highest rate, above 0
 * @param warmUpSteps steps of linear rise from 0, or 0 for none
 * @param cooldownSteps the step at which the fall to 0 begins, or 0 for never
 * @param decaySteps the steps after which the rate is divided by 10 each time
 */
public record LearningRateSchedule(
    float peak, int warmUpSteps, int cooldownSteps, List<Integer> decaySteps) implements Tracker {

  private static final double DECAY_DIVISOR = 10;

  /**
   * Checks every number.
   *
   * @param peak above 0 and finite
   * @param warmUpSteps at least 0
   * @param cooldownSteps at least 0
   * @param decaySteps each at least 1
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public LearningRateSchedule {
    checkArgument(
        peak > 0 && Float.isFinite(peak),
        "the learning rate must be above 0 and finite, but is %s",
        peak);
    checkArgument(warmUpSteps >= 0, "warmUpSteps must be at least 0, but is %s", warmUpSteps);
    checkArgument(cooldownSteps >= 0, "cooldownSteps must be at least 0, but is %s", cooldownSteps);
    decaySteps = List.copyOf(decaySteps);
    checkArgument(
        decaySteps.stream().allMatch(step -> step >= 1),
        "decay steps must be at least 1, but are %s",
        decaySteps);
  }

  /**
   * Creates a constant rate, to be shaped by the other methods.
   *
   * @param rate the highest rate, above 0
   * @return the schedule
   */
  public static LearningRateSchedule peak(float rate) {
    return new LearningRateSchedule(rate, 0, 0, List.of());
  }

  /**
   * Adds a linear rise from 0.
   *
   * @param steps steps until the peak; 0 for none
   * @return the new schedule
   */
  public LearningRateSchedule warmUp(int steps) {
    return new LearningRateSchedule(peak, steps, cooldownSteps, decaySteps);
  }

  /**
   * Adds a linear fall to 0.
   *
   * @param step where the fall begins; it ends at twice that step; 0 for never
   * @return the new schedule
   */
  public LearningRateSchedule cooldown(int step) {
    return new LearningRateSchedule(peak, warmUpSteps, step, decaySteps);
  }

  /**
   * Divides the rate by 10 after each of these steps.
   *
   * @param steps the last steps before each division
   * @return the new schedule
   */
  public LearningRateSchedule decayAfter(Integer... steps) {
    return new LearningRateSchedule(peak, warmUpSteps, cooldownSteps, List.of(steps));
  }

  @Override
  public float getNewValue(int step) {
    double warm = warmUpSteps == 0 ? 1 : Math.min(step, warmUpSteps) / (double) warmUpSteps;
    double cool =
        cooldownSteps == 0
            ? 0
            : Math.min(Math.max((step - cooldownSteps) / (double) cooldownSteps, 0), 1);
    long decays = decaySteps.stream().filter(decay -> step > decay).count();
    return (float) (peak * Math.max(warm - cool, 0) / Math.pow(DECAY_DIVISOR, decays));
  }
}
