package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.training.tracker.Tracker;
import io.github.sharnn.io.Records;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * A learning rate schedule: linear warm-up, linear cooldown, step decays, a cosine or linear decay
 * to the end of the budget, and a reduction at each plateau of the validation figure. You can
 * combine all of these.
 *
 * <pre>{@code
 * LearningRateSchedule.peak(2e-3f).warmUp(800).cooldown(30_000)
 * LearningRateSchedule.peak(2e-3f).warmUp(200).cosine()
 * LearningRateSchedule.peak(2e-3f).warmUp(200).linear(1e-4f).hold(0.8f)
 * LearningRateSchedule.peak(2e-3f).warmUp(200).plateau(0.5f, 3)
 * }</pre>
 *
 * <p>The rate at step s, counted from 1, is
 *
 * <pre>{@code
 * rate(s) = level * max(min(s, warmUp) / warmUp - cool(s), 0) / 10 ^ (number of decays before s)
 *           * plateauFactor ^ (number of plateaus before s)
 * cool(s) = clamp((s - cooldown) / cooldown, 0, 1)
 * level   = finalRate + (peak - finalRate) * left
 * left    = (1 + cos(pi * fallen)) / 2, or 1 - fallen on a straight line
 * }</pre>
 *
 * <p>The cooldown ends at rate 0, at twice the step where it begins. {@code fallen} is 0 until the
 * end of the warm-up, or until the share {@code holdUntil} of the budget if that is later, and 1 at
 * the end of the budget; in between it grows as the budget is used. A plateau is a series of {@code
 * plateauPatience} evaluations without a new best figure.
 *
 * <p>Every other DJL tracker can replace this one.
 *
 * @param peak the highest rate, above 0
 * @param warmUpSteps steps of linear rise from 0, or 0 for none
 * @param cooldownSteps the step at which the fall to 0 begins, or 0 for never
 * @param decaySteps the steps after which the rate is divided by 10 each time
 * @param finalRate the rate at the end of the budget, from 0 to {@code peak}; {@code peak} for a
 *     constant rate
 * @param fall the way from {@code peak} to {@code finalRate}; null for a cosine
 * @param holdUntil share of the budget that is used before the fall to {@code finalRate} begins, at
 *     least 0 and below 1; 0 for a fall that begins after the warm-up
 * @param plateauFactor factor of the rate at each plateau, above 0 and below 1
 * @param plateauPatience evaluations in a row without a new best figure that make a plateau, or 0
 *     to ignore plateaus
 * @serial exclude
 */
public record LearningRateSchedule(
    float peak,
    int warmUpSteps,
    int cooldownSteps,
    List<Integer> decaySteps,
    float finalRate,
    @Nullable Fall fall,
    float holdUntil,
    float plateauFactor,
    int plateauPatience)
    implements Tracker, Serializable {

  private static final double DECAY_DIVISOR = 10;

  /** The shape of the decay to the end of the budget. */
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
   * @param fall null in old checkpoints; a cosine if {@code finalRate} is {@code peak}
   * @param holdUntil at least 0 and below 1; 0 if {@code finalRate} is {@code peak}
   * @param plateauFactor above 0 and below 1; ignored without {@code plateauPatience}
   * @param plateauPatience at least 0
   * @throws IllegalArgumentException if a component breaks its rule
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
        holdUntil >= 0 && holdUntil < 1,
        "holdUntil must be at least 0 and below 1, but is %s",
        holdUntil);
    holdUntil = finalRate == peak ? 0 : holdUntil;
    checkArgument(
        plateauPatience >= 0, "plateauPatience must be at least 0, but is %s", plateauPatience);
    plateauFactor = plateauPatience == 0 ? 1 : plateauFactor;
    checkArgument(
        plateauPatience == 0 || (plateauFactor > 0 && plateauFactor < 1),
        "plateauFactor must be above 0 and below 1, but is %s",
        plateauFactor);
  }

  /**
   * {@return a constant rate, to which the other methods add shapes}
   *
   * @param rate the highest rate, above 0
   */
  public static LearningRateSchedule peak(float rate) {
    return new LearningRateSchedule(rate, 0, 0, List.of(), rate, Fall.COSINE, 0, 1, 0);
  }

  /**
   * {@return this schedule with another peak; the final rate of a decay stays the same}
   *
   * @param rate above 0, and not below the end of a fall
   */
  public LearningRateSchedule withPeak(float rate) {
    return Records.with(this, "finalRate", finalRate == peak ? rate : finalRate, "peak", rate);
  }

  /**
   * {@return this schedule with a linear rise from 0}
   *
   * @param steps steps until the peak; 0 for none
   */
  public LearningRateSchedule warmUp(int steps) {
    return Records.with(this, "warmUpSteps", steps);
  }

  /**
   * {@return this schedule with a linear fall to 0}
   *
   * @param step the step where the fall begins; it ends at twice that step; 0 for never
   */
  public LearningRateSchedule cooldown(int step) {
    return Records.with(this, "cooldownSteps", step);
  }

  /**
   * {@return this schedule with the rate divided by 10 after each of these steps}
   *
   * @param steps the last steps before each division
   */
  public LearningRateSchedule decayAfter(Integer... steps) {
    return Records.with(this, "decaySteps", List.of(steps));
  }

  /** {@return this schedule with a fall to 0 along half a cosine, to the end of the budget} */
  public LearningRateSchedule cosine() {
    return cosine(0);
  }

  /**
   * {@return this schedule with a fall along half a cosine, from the end of the warm-up to the end
   * of the budget}
   *
   * @param end the rate at the end, from 0 to {@code peak}; {@code peak} removes the fall
   */
  public LearningRateSchedule cosine(float end) {
    return fall(Fall.COSINE, end);
  }

  /** {@return this schedule with a fall to 0 along a straight line, to the end of the budget} */
  public LearningRateSchedule linear() {
    return linear(0);
  }

  /**
   * {@return this schedule with a fall along a straight line, from the end of the warm-up to the
   * end of the budget}
   *
   * @param end the rate at the end, from 0 to {@code peak}; {@code peak} removes the fall
   */
  public LearningRateSchedule linear(float end) {
    return fall(Fall.LINEAR, end);
  }

  /**
   * {@return this schedule with a fall that begins late} Call it after {@link #cosine} or {@link
   * #linear}; it has no effect on a constant rate.
   *
   * @param share share of the budget that is used before the fall begins, at least 0 and below 1; 0
   *     for a fall that begins after the warm-up
   */
  public LearningRateSchedule hold(float share) {
    return Records.with(this, "holdUntil", share);
  }

  private LearningRateSchedule fall(Fall way, float end) {
    return Records.with(this, "fall", way, "finalRate", end);
  }

  /**
   * {@return this schedule with a lower rate after each plateau} The count restarts at each plateau
   * and each stage.
   *
   * @param factor factor of the rate, above 0 and below 1
   * @param evaluations evaluations in a row without a new best figure, at least 1; 0 for never
   */
  public LearningRateSchedule plateau(float factor, int evaluations) {
    return Records.with(this, "plateauFactor", factor, "plateauPatience", evaluations);
  }

  /**
   * {@return the rate of a step before the first plateau}
   *
   * @param step the step, from 1
   * @param used share of the budget used before the step, from 0 to 1
   */
  public float rate(int step, double used) {
    return rate(step, used, 0);
  }

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

  private double fallen(int step, double used) {
    int done = step - 1;
    if (done <= warmUpSteps) {
      return 0;
    }
    double warmUp =
        used
            * warmUpSteps
            / done; // share of the budget that the warm-up took, if all steps take the same time
    double start = Math.max(warmUp, holdUntil);
    return Math.min(Math.max((used - start) / (1 - start), 0), 1);
  }

  /**
   * The plateaus of a stage so far.
   *
   * @param count number of plateaus
   * @param stale evaluations since the best figure or the last plateau
   * @param best the lowest figure; infinite before the first
   */
  public record Plateaus(int count, int stale, double best) {

    /** The start of a stage. */
    public static final Plateaus NONE = new Plateaus(0, 0, Double.POSITIVE_INFINITY);

    /**
     * Checks the counts, which may come from a file.
     *
     * @param count at least 0
     * @param stale at least 0
     * @param best any number
     * @throws IllegalArgumentException if a count is negative
     */
    public Plateaus {
      checkArgument(count >= 0 && stale >= 0, "a count is negative");
    }
  }

  /** Returns the plateaus after one more figure. */
  Plateaus after(Plateaus before, double figure) {
    if (figure < before.best) {
      return new Plateaus(before.count, 0, figure);
    }
    return before.stale + 1 == plateauPatience
        ? new Plateaus(before.count + 1, 0, before.best)
        : new Plateaus(before.count, before.stale + 1, before.best);
  }

  /**
   * {@return the rate of a step, for a schedule that depends on the step alone}
   *
   * @param step the step, from 1
   * @throws IllegalStateException if the schedule depends on the budget or on plateaus
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

  /** Describes the schedule in words, as "0.002, warm-up of 800 steps, cosine to 0 at the end". */
  @Override
  public String toString() {
    StringJoiner words = new StringJoiner(", ").add(plain(peak));
    if (warmUpSteps > 0) {
      words.add("warm-up of " + warmUpSteps + " steps");
    }
    if (finalRate != peak) {
      String late = holdUntil > 0 ? ", from " + plain(100 * holdUntil) + "% of the budget on" : "";
      String way = fall.name().toLowerCase(Locale.ROOT);
      words.add(way + " to " + plain(finalRate) + " at the end" + late);
    }
    if (cooldownSteps > 0) {
      words.add("cooldown to 0 from step " + cooldownSteps + " to " + 2L * cooldownSteps);
    }
    if (!decaySteps.isEmpty()) {
      words.add("a tenth after each step of " + decaySteps);
    }
    if (plateauPatience > 0) {
      String many = plateauPatience == 1 ? "an evaluation" : plateauPatience + " evaluations";
      words.add("times " + plain(plateauFactor) + " after " + many + " without a new best");
    }
    return words.toString();
  }

  private static String plain(float number) {
    return new BigDecimal(Float.toString(number)).stripTrailingZeros().toPlainString();
  }
}
