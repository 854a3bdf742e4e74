package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import java.time.Duration;

/**
 * How long {@link SHARNNTrainer#fit} trains: passes over the data, optimizer steps or wall-clock
 * time.
 *
 * @param unit what is counted
 * @param amount how many: epochs, steps or nanoseconds
 */
public record Budget(Unit unit, long amount) {

  /** What a budget counts. */
  public enum Unit {
    /** Passes over the training part. */
    EPOCHS,
    /** Optimizer steps. */
    STEPS,
    /** Wall-clock time from the call of fit, evaluations included. */
    TIME
  }

  /**
   * Checks the amount.
   *
   * @param unit what is counted
   * @param amount how many, at least 1
   * @throws IllegalArgumentException if it is below 1
   */
  public Budget {
    checkArgument(
        amount >= 1,
        "a budget of %s must be above 0, but is %s",
        unit.name().toLowerCase(java.util.Locale.ROOT),
        amount);
  }

  /**
   * Trains for passes over the training part.
   *
   * @param count at least 1
   * @return the budget
   */
  public static Budget epochs(int count) {
    return new Budget(Unit.EPOCHS, count);
  }

  /**
   * Trains for optimizer steps.
   *
   * @param count at least 1
   * @return the budget
   */
  public static Budget steps(long count) {
    return new Budget(Unit.STEPS, count);
  }

  /**
   * Trains until a time has passed, and then evaluates once more.
   *
   * @param duration above 0
   * @return the budget
   */
  public static Budget time(Duration duration) {
    return new Budget(Unit.TIME, duration.toNanos());
  }

  /**
   * Tells how much of the budget is used.
   *
   * @param epochs passes over the data, with the fraction of the current one
   * @param steps optimizer steps
   * @param nanos time since the start
   * @return from 0 at the start to 1 or more at the end
   */
  double used(double epochs, long steps, long nanos) {
    double done =
        switch (unit) {
          case EPOCHS -> epochs;
          case STEPS -> steps;
          case TIME -> nanos;
        };
    return done / amount;
  }
}
