package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * The dynamic loss scale of FLOAT16 training: gradients are computed of a multiple of the loss,
 * since small ones would be 0 in FLOAT16. It starts at 2^16, halves at each step whose gradients
 * overflow, which is then skipped, and doubles after 2,000 good steps in a row (Micikevicius et
 * al., "Mixed Precision Training", arXiv:1710.03740, section 3.2).
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

  /** For FLOAT32: 1, for ever. */
  public static LossScaler none() {
    return new LossScaler(false, 1);
  }

  /** For FLOAT16. */
  public static LossScaler dynamic() {
    return new LossScaler(true, START);
  }

  /** What the next loss is multiplied by. */
  public double value() {
    return value;
  }

  /** What a checkpoint holds of it. */
  public record Saved(double value, int goodSteps) {

    public Saved {
      checkArgument(
          value >= 1 && Double.isFinite(value) && goodSteps >= 0 && goodSteps < GROWTH_INTERVAL,
          "there is no such loss scale: %s",
          value);
    }
  }

  public Saved save() {
    return new Saved(value, goodSteps);
  }

  /** Goes back to what a FLOAT16 run saved; in FLOAT32 there is nothing to go back to. */
  public void restore(Saved saved) {
    if (dynamic) {
      value = saved.value;
      goodSteps = saved.goodSteps;
    }
  }

  public boolean isDynamic() {
    return dynamic;
  }

  /** Notes a step with finite gradients. */
  public void good() {
    if (dynamic && ++goodSteps == GROWTH_INTERVAL) {
      goodSteps = 0;
      value *= 2;
    }
  }

  /**
   * Notes a step whose gradients overflowed.
   *
   * @return whether the scale could fall; if not, the scale is not the cause
   */
  public boolean overflow() {
    if (!dynamic || value == 1) {
      return false;
    }
    goodSteps = 0;
    value /= 2;
    return true;
  }

  /** What is wrong where {@link #overflow} returns false. */
  public String cause() {
    return "gradient norm not finite" + (dynamic ? " even at a loss scale of 1" : "");
  }
}
