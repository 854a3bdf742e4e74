package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * The dynamic loss scale of FLOAT16 training. The loss is multiplied by the scale before backward,
 * because small gradients would become 0 in FLOAT16. The scale starts at 2^16. A step whose
 * gradients overflow is skipped and halves the scale. 2,000 good steps in a row double it
 * (Micikevicius et al., "Mixed Precision Training", arXiv:1710.03740, section 3.2).
 */
public final class LossScaler {

  static final double START = 0x1p16;
  private static final int GROWTH_INTERVAL = 2000;

  private final boolean dynamic;
  private double value;
  private int goodSteps;

  private LossScaler(boolean dynamic, double value) {
    this.dynamic = dynamic;
    this.value = value;
  }

  /** {@return a scale that stays 1, for FLOAT32} */
  public static LossScaler none() {
    return new LossScaler(false, 1);
  }

  /** {@return a dynamic scale that starts at 2^16, for FLOAT16} */
  public static LossScaler dynamic() {
    return new LossScaler(true, START);
  }

  /** {@return the factor of the next loss, at least 1} */
  public double value() {
    return value;
  }

  /**
   * The part of a checkpoint.
   *
   * @param dynamic true for FLOAT16
   * @param value the scale
   * @param goodSteps steps since the scale last changed
   */
  public record Saved(boolean dynamic, double value, int goodSteps) {

    /**
     * Checks the numbers, which may come from a file.
     *
     * @param dynamic true or false
     * @param value at least 1 and finite
     * @param goodSteps from 0 to 1,999
     * @throws IllegalArgumentException if a number breaks its rule
     */
    public Saved {
      checkArgument(
          value >= 1 && Double.isFinite(value),
          "the loss scale must be at least 1 and finite, but is %s: resume another checkpoint",
          value);
      checkArgument(
          goodSteps >= 0 && goodSteps < GROWTH_INTERVAL,
          "the steps since the loss scale changed must be from 0 to %s, but are %s: resume another"
              + " checkpoint",
          GROWTH_INTERVAL - 1,
          goodSteps);
    }
  }

  /** {@return the state for a checkpoint} */
  public Saved save() {
    return new Saved(dynamic, value, goodSteps);
  }

  /**
   * Restores a dynamic scale from another one. A run that changes precision starts a new one.
   *
   * @param saved the state from a checkpoint, ignored unless both scales are dynamic
   */
  public void restore(Saved saved) {
    if (dynamic && saved.dynamic) {
      value = saved.value;
      goodSteps = saved.goodSteps;
    }
  }

  /** {@return true if the scale is dynamic} */
  public boolean isDynamic() {
    return dynamic;
  }

  /** Counts a step with finite gradients. */
  public void good() {
    if (dynamic && ++goodSteps == GROWTH_INTERVAL) {
      goodSteps = 0;
      value *= 2;
    }
  }

  /**
   * Halves the scale after a step whose gradients overflowed.
   *
   * @return false if the scale is already 1 or constant, so the overflow has another cause
   */
  public boolean overflow() {
    if (!dynamic || value == 1) {
      return false;
    }
    goodSteps = 0;
    value /= 2;
    return true;
  }

  /** {@return the problem to report if {@link #overflow} returns false} */
  public String cause() {
    return "gradient norm not finite" + (dynamic ? " even at a loss scale of 1" : "");
  }
}
