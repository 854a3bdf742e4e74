package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.training.tracker.Tracker;
import java.util.List;

/**
 * The recipe's learning rate at step s, counted from 1: warm-up, cooldown, step decays, and a fall
 * along half a cosine to the end of the budget, whatever the budget counts.
 *
 * <pre>{@code
 * rate(s) = level * (min(s, warmUp) / warmUp - cool(s)) / 10 ^ (number of decays before s)
 * cool(s) = clamp((s - cooldown) / cooldown, 0, 1)
 * level   = finalRate + (peak - finalRate) * (1 + cos(pi * fallen)) / 2
 * }</pre>
 *
 * <p>So with a cooldown the rate falls from that step on and reaches 0 at twice that step. {@code
 * fallen} is 0 to the end of the warm-up and 1 at the end of the budget; between them it grows as
 * the budget is used.
 *
 * <pre>{@code
 * LearningRateSchedule.peak(2e-3f).warmUp(800).cooldown(30_000)
 * LearningRateSchedule.peak(2e-3f).warmUp(200).cosine()
 * }</pre>
 *
 * <p>Any other DJL tracker can stand in this one's place.
 *
 * @param peak the highest rate, above 0
 * @param warmUpSteps steps of linear rise from 0, or 0 for none
 * @param cooldownSteps the step at which the fall to 0 begins, or 0 for never
 * @param decaySteps the steps after which the rate is divided by 10 each time
 * @param finalRate where the cosine ends, from 0 to {@code peak}, which means no fall
 */
public record LearningRateSchedule(
    float peak, int warmUpSteps, int cooldownSteps, List<Integer> decaySteps, float finalRate)
    implements Tracker {

  private static final double DECAY_DIVISOR = 10;

  /**
   * Checks every number.
   *
   * @param peak above 0 and finite
   * @param warmUpSteps at least 0
   * @param cooldownSteps at least 0
   * @param decaySteps each at least 1
   * @param finalRate from 0 to {@code peak}
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
    checkArgument(
        finalRate >= 0 && finalRate <= peak,
        "finalRate must lie between 0 and the peak (%s), but is %s",
        peak,
        finalRate);
  }

  /**
   * Creates a constant rate, to be shaped by the other methods.
   *
   * @param rate the highest rate, above 0
   * @return the schedule
   */
  public static LearningRateSchedule peak(float rate) {
    return new LearningRateSchedule(rate, 0, 0, List.of(), rate);
  }

  /**
   * Changes the highest rate. The end of a cosine stays where it is.
   *
   * @param rate above 0, and not below the end of a cosine
   * @return the new schedule
   */
  public LearningRateSchedule withPeak(float rate) {
    float end = finalRate == peak ? rate : finalRate;
    return new LearningRateSchedule(rate, warmUpSteps, cooldownSteps, decaySteps, end);
  }

  /**
   * Adds a linear rise from 0.
   *
   * @param steps steps until the peak; 0 for none
   * @return the new schedule
   */
  public LearningRateSchedule warmUp(int steps) {
    return new LearningRateSchedule(peak, steps, cooldownSteps, decaySteps, finalRate);
  }

  /**
   * Adds a linear fall to 0.
   *
   * @param step where the fall begins; it ends at twice that step; 0 for never
   * @return the new schedule
   */
  public LearningRateSchedule cooldown(int step) {
    return new LearningRateSchedule(peak, warmUpSteps, step, decaySteps, finalRate);
  }

  /**
   * Divides the rate by 10 after each of these steps.
   *
   * @param steps the last steps before each division
   * @return the new schedule
   */
  public LearningRateSchedule decayAfter(Integer... steps) {
    return new LearningRateSchedule(peak, warmUpSteps, cooldownSteps, List.of(steps), finalRate);
  }

  /**
   * Falls to 0 along half a cosine, from the end of the warm-up to the end of the budget.
   *
   * @return the new schedule
   */
  public LearningRateSchedule cosine() {
    return cosine(0);
  }

  /**
   * Falls along half a cosine, from the end of the warm-up to the end of the budget.
   *
   * @param end the rate at the end, from 0 to {@code peak}, which takes the fall away
   * @return the new schedule
   */
  public LearningRateSchedule cosine(float end) {
    return new LearningRateSchedule(peak, warmUpSteps, cooldownSteps, decaySteps, end);
  }

  /**
   * Returns the rate of a step where the budget is known, as {@link SHARNNTrainer} does.
   *
   * @param step the step, from 1
   * @param used how much of the budget was used before the step, from 0 to 1
   * @return the rate
   */
  public float rate(int step, double used) {
    double warm = warmUpSteps == 0 ? 1 : Math.min(step, warmUpSteps) / (double) warmUpSteps;
    double cool =
        cooldownSteps == 0
            ? 0
            : Math.min(Math.max((step - cooldownSteps) / (double) cooldownSteps, 0), 1);
    long decays = decaySteps.stream().filter(decay -> step > decay).count();
    double fall = (1 + Math.cos(Math.PI * fallen(step, used))) / 2;
    double level = finalRate + ((double) peak - finalRate) * fall;
    return (float) (level * Math.max(warm - cool, 0) / Math.pow(DECAY_DIVISOR, decays));
  }

  /** How much of the way from the end of the warm-up to the end of the budget is gone. */
  private double fallen(int step, double used) {
    int done = step - 1;
    if (done <= warmUpSteps) {
      return 0;
    }
    double warmUp = used * warmUpSteps / done; // the budget that warming up took, at a steady pace
    return Math.min((used - warmUp) / (1 - warmUp), 1);
  }

  /**
   * Returns the rate of a step where no budget is known.
   *
   * @param step the step, from 1
   * @return the rate
   * @throws IllegalStateException if there is a cosine, which ends with the budget
   */
  @Override
  public float getNewValue(int step) {
    checkState(
        finalRate == peak,
        "a learning rate with cosine() needs to know the budget: give it to"
            + " SHARNNTrainer's learningRate, or use DJL's Tracker.cosine() with a number of steps");
    return rate(step, 0);
  }
}
