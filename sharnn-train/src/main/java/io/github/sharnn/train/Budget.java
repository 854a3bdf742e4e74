package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import java.io.Serializable;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.Locale;

/**
 * The length of a {@link SHARNNTrainer#fit}: a number of passes, a number of steps, or a time.
 * Early stopping can end the training sooner.
 *
 * <pre>{@code
 * Budget.epochs(32)
 * Budget.epochs(32).patience(3)
 * }</pre>
 *
 * @param unit what {@code amount} counts
 * @param amount number of epochs, steps or nanoseconds
 * @param patience number of evaluations in a row without a new best after which training stops, or
 *     0 to disable
 * @serial exclude
 */
public record Budget(Unit unit, long amount, int patience) implements Serializable {

  private static final Duration LONGEST = Duration.ofDays(36_525); // counted in nanoseconds

  /** The unit of a budget. */
  public enum Unit {
    /** Passes over the training part. */
    EPOCHS,
    /** Optimizer steps. */
    STEPS,
    /** Wall-clock time of one stage: includes evaluations and the time before a resume. */
    TIME
  }

  /**
   * Checks the numbers.
   *
   * @param unit not null
   * @param amount at least 1
   * @param patience at least 0
   * @throws IllegalArgumentException if a number is below its bound
   */
  public Budget {
    checkArgument(
        amount >= 1,
        "a budget of %s must be above 0, but is %s",
        unit.name().toLowerCase(Locale.ROOT),
        amount);
    checkArgument(patience >= 0, "patience must be at least 0, but is %s", patience);
  }

  /**
   * Trains for passes over the training part.
   *
   * @param count at least 1
   * @return the budget
   */
  public static Budget epochs(int count) {
    return new Budget(Unit.EPOCHS, count, 0);
  }

  /**
   * Trains for optimizer steps.
   *
   * @param count at least 1
   * @return the budget
   */
  public static Budget steps(long count) {
    return new Budget(Unit.STEPS, count, 0);
  }

  /**
   * Trains until a time has passed, and then evaluates once more.
   *
   * @param duration above 0 and at most 100 years
   * @return the budget
   */
  public static Budget time(Duration duration) {
    checkArgument(
        duration.compareTo(LONGEST) <= 0,
        "a budget of time must be at most 100 years, but is %s: give steps or epochs, and patience",
        duration);
    return new Budget(Unit.TIME, duration.toNanos(), 0);
  }

  /**
   * Adds early stopping: training ends after this many evaluations in a row without a new lowest
   * validation figure. {@link SHARNNTrainer.Builder#evaluationInterval} sets the number of steps
   * between evaluations.
   *
   * @param evaluations at least 1; 0 for never
   * @return the new budget
   */
  public Budget patience(int evaluations) {
    return new Budget(unit, amount, evaluations);
  }

  /** Returns how much of the budget is used: from 0 at the start to 1 or more at the end. */
  double used(double epochs, long steps, long nanos) {
    double done =
        switch (unit) {
          case EPOCHS -> epochs;
          case STEPS -> steps;
          case TIME -> nanos;
        };
    return done / amount;
  }

  /** Describes the budget in words, as "32 epochs, patience 3" or "500 s". */
  @Override
  public String toString() {
    String length =
        unit == Unit.TIME
            ? new BigDecimal(amount).movePointLeft(9).stripTrailingZeros().toPlainString() + " s"
            : amount + (unit == Unit.EPOCHS ? " epoch" : " step") + (amount == 1 ? "" : "s");
    return patience == 0 ? length : length + ", patience " + patience;
  }
}
