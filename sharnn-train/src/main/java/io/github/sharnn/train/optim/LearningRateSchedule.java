package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.training.tracker.Tracker;
import java.util.List;

/**
 * The recipe's learning rate at step s, counted from 1: warm-up, cooldown, step decays, a fall
 * along half a cosine or a straight line to the end of the budget, whatever the budget counts, and
 * one at each plateau of the validation figure.
 *
 * <pre>{@code
 * rate(s) = level * max(min(s, warmUp) / warmUp - cool(s), 0) / 10 ^ (number of decays before s)
 *           * plateauFactor ^ (number of plateaus before s)
 * cool(s) = clamp((s - cooldown) / cooldown, 0, 1)
 * level   = finalRate + (peak - finalRate) * left
 * left    = (1 + cos(pi * fallen)) / 2, or 1 - fallen on a straight line
 * }</pre>
 *
 * <p>So with a cooldown the rate falls from that step on and reaches 0 at twice that step. {@code
 * fallen} is 0 to the end of the warm-up and 1 at the end of the budget; between them it grows as
 * the budget is used. A plateau is {@code plateauPatience} evaluations in a row without a new
 * lowest figure; the next one counts from there.
 *
 * <pre>{@code
 * LearningRateSchedule.peak(2e-3f).warmUp(800).cooldown(30_000)
 * LearningRateSchedule.peak(2e-3f).warmUp(200).cosine()
 * LearningRateSchedule.peak(2e-3f).warmUp(200).plateau(0.5f, 3)
 * }</pre>
 *
 * <p>Any other DJL tracker can stand in this one's place.
 *
 * @param peak the highest rate, above 0
 * @param warmUpSteps steps of linear rise from 0, or 0 for none
 * @param cooldownSteps the step at which the fall to 0 begins, or 0 for never
 * @param decaySteps the steps after which the rate is divided by 10 each time
 * @param finalRate where the cosine or line ends, from 0 to {@code peak}, which means no fall
 * @param fall the way from {@code peak} to {@code finalRate}; null for a cosine
 * @param plateauFactor what the rate is multiplied by at each plateau, above 0 and below 1
 * @param plateauPatience evaluations in a row without a new lowest figure that make a plateau, or 0
 *     for no notice of them
 */
public record LearningRateSchedule(
    float peak,
    int warmUpSteps,
    int cooldownSteps,
    List<Integer> decaySteps,
    float finalRate,
    Fall fall,
    float plateauFactor,
    int plateauPatience)
    implements Tracker {

  private static final double DECAY_DIVISOR = 10;

  /** A way down to the end of the budget. */
  public enum Fall {
    /** Half a cosine. */
    COSINE,
    /** A straight line. */
    LINEAR
  }

  /**
   * Checks every number.
   *
   * @param peak above 0 and finite
   * @param warmUpSteps at least 0
   * @param cooldownSteps at least 0
   * @param decaySteps each at least 1
   * @param finalRate from 0 to {@code peak}
   * @param fall null for a cosine, as in checkpoints from before there were lines
   * @param plateauFactor above 0 and below 1, where plateaus count
   * @param plateauPatience at least 0
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
    fall = fall == null || finalRate == peak ? Fall.COSINE : fall;
    checkArgument(
        plateauPatience >= 0, "plateauPatience must be at least 0, but is %s", plateauPatience);
    plateauFactor = plateauPatience == 0 ? 1 : plateauFactor;
    checkArgument(
        plateauPatience == 0 || (plateauFactor > 0 && plateauFactor < 1),
        "plateauFactor must be above 0 and below 1, but is %s",
        plateauFactor);
  }

  /**
   * Creates a constant rate, to be shaped by the other methods.
   *
   * @param rate the highest rate, above 0
   * @return the schedule
   */
  public static LearningRateSchedule peak(float rate) {
    return new LearningRateSchedule(rate, 0, 0, List.of(), rate, Fall.COSINE, 1, 0);
  }

  /**
   * Changes the highest rate. The end of a cosine stays where it is.
   *
   * @param rate above 0, and not below the end of a cosine
   * @return the new schedule
   */
  public LearningRateSchedule withPeak(float rate) {
    float end = finalRate == peak ? rate : finalRate;
    return new LearningRateSchedule(
        rate, warmUpSteps, cooldownSteps, decaySteps, end, fall, plateauFactor, plateauPatience);
  }

  /**
   * Adds a linear rise from 0.
   *
   * @param steps steps until the peak; 0 for none
   * @return the new schedule
   */
  public LearningRateSchedule warmUp(int steps) {
    return new LearningRateSchedule(
        peak, steps, cooldownSteps, decaySteps, finalRate, fall, plateauFactor, plateauPatience);
  }

  /**
   * Adds a linear fall to 0.
   *
   * @param step where the fall begins; it ends at twice that step; 0 for never
   * @return the new schedule
   */
  public LearningRateSchedule cooldown(int step) {
    return new LearningRateSchedule(
        peak, warmUpSteps, step, decaySteps, finalRate, fall, plateauFactor, plateauPatience);
  }

  /**
   * Divides the rate by 10 after each of these steps.
   *
   * @param steps the last steps before each division
   * @return the new schedule
   */
  public LearningRateSchedule decayAfter(Integer... steps) {
    return new LearningRateSchedule(
        peak,
        warmUpSteps,
        cooldownSteps,
        List.of(steps),
        finalRate,
        fall,
        plateauFactor,
        plateauPatience);
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
    return withFall(Fall.COSINE, end);
  }

  /**
   * Falls to 0 along a straight line, from the end of the warm-up to the end of the budget.
   *
   * @return the new schedule
   */
  public LearningRateSchedule linear() {
    return linear(0);
  }

  /**
   * Falls along a straight line, from the end of the warm-up to the end of the budget.
   *
   * @param end the rate at the end, from 0 to {@code peak}, which takes the fall away
   * @return the new schedule
   */
  public LearningRateSchedule linear(float end) {
    return withFall(Fall.LINEAR, end);
  }

  private LearningRateSchedule withFall(Fall way, float end) {
    return new LearningRateSchedule(
        peak, warmUpSteps, cooldownSteps, decaySteps, end, way, plateauFactor, plateauPatience);
  }

  /**
   * Multiplies the rate by a factor at each plateau: after so many evaluations in a row without a
   * new lowest validation figure, counted from the last plateau or the start of the stage.
   *
   * @param factor above 0 and below 1
   * @param evaluations at least 1; 0 for never
   * @return the new schedule
   */
  public LearningRateSchedule plateau(float factor, int evaluations) {
    return new LearningRateSchedule(
        peak, warmUpSteps, cooldownSteps, decaySteps, finalRate, fall, factor, evaluations);
  }

  /**
   * Returns the rate of a step where the budget is known, before the first plateau.
   *
   * @param step the step, from 1
   * @param used how much of the budget was used before the step, from 0 to 1
   * @return the rate
   */
  public float rate(int step, double used) {
    return rate(step, used, 0);
  }

  /** The rate after so many plateaus. */
  float rate(int step, double used, int plateaus) {
    double warm = warmUpSteps == 0 ? 1 : Math.min(step, warmUpSteps) / (double) warmUpSteps;
    double cool =
        cooldownSteps == 0
            ? 0
            : Math.min(Math.max((step - cooldownSteps) / (double) cooldownSteps, 0), 1);
    long decays = decaySteps.stream().filter(decay -> step > decay).count();
    double fallen = fallen(step, used);
    double left = fall == Fall.LINEAR ? 1 - fallen : (1 + Math.cos(Math.PI * fallen)) / 2;
    double level = finalRate + ((double) peak - finalRate) * left;
    return (float)
        (level
            * Math.max(warm - cool, 0)
            / Math.pow(DECAY_DIVISOR, decays)
            * Math.pow(plateauFactor, plateaus));
  }

  /**
   * What the validation figures of a stage have come to.
   *
   * @param count of plateaus
   * @param stale figures since the best or the last plateau
   * @param best the lowest figure, infinite before the first
   */
  public record Plateaus(int count, int stale, double best) {

    public static final Plateaus NONE = new Plateaus(0, 0, Double.POSITIVE_INFINITY);

    public Plateaus {
      checkArgument(count >= 0 && stale >= 0, "a count is negative");
    }
  }

  /** One more figure. */
  Plateaus after(Plateaus before, double figure) {
    if (figure < before.best) {
      return new Plateaus(before.count, 0, figure);
    }
    return before.stale + 1 == plateauPatience
        ? new Plateaus(before.count + 1, 0, before.best)
        : new Plateaus(before.count, before.stale + 1, before.best);
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
   * Returns the rate of a step where neither budget nor validation figures are known.
   *
   * @param step the step, from 1
   * @return the rate
   * @throws IllegalStateException if there is a fall that ends with the budget, or at plateaus
   */
  @Override
  public float getNewValue(int step) {
    checkState(
        finalRate == peak,
        "a learning rate with %s() needs to know the budget: give it to"
            + " SHARNNTrainer's learningRate, or use DJL's Tracker.cosine() with a number of steps",
        fall == Fall.LINEAR ? "linear" : "cosine");
    checkState(
        plateauPatience == 0,
        "a learning rate with plateau() needs to know the validation figures: give it to"
            + " SHARNNTrainer's learningRate");
    return rate(step, 0);
  }
}
