package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * Tells from the losses of a run whether it diverges: too many steps in a row that had to be
 * skipped, or a loss that stays far above its running mean.
 */
final class DivergenceDetector {

  private static final double FACTOR = 1.5;
  private static final int HIGH_STEPS = 100;
  private static final double SMOOTHING = 0.99;

  private final int maxSkipped;
  private double mean = Double.NaN; // of the losses that were not high
  private int high; // steps in a row
  private int skipped; // steps in a row
  private long allSkipped;
  private int rollbacks;

  DivergenceDetector(int maxSkipped) {
    this.maxSkipped = maxSkipped;
  }

  /** What a checkpoint holds of it. */
  record Saved(double mean, int high, int skipped, long allSkipped, int rollbacks) {

    public Saved {
      checkArgument(
          !Double.isInfinite(mean)
              && high >= 0
              && skipped >= 0
              && allSkipped >= 0
              && rollbacks >= 0,
          "a count is negative, or the mean loss infinite");
    }
  }

  Saved save() {
    return new Saved(mean, high, skipped, allSkipped, rollbacks);
  }

  /** Goes back, but for the number of rollbacks where it is higher now. */
  void restore(Saved saved) {
    mean = saved.mean;
    high = saved.high;
    skipped = saved.skipped;
    allSkipped = saved.allSkipped;
    rollbacks = Math.max(rollbacks, saved.rollbacks);
  }

  /** Whether a checkpoint was saved while all was well. */
  static boolean healthy(Saved saved) {
    return saved.high == 0 && saved.skipped == 0;
  }

  /** Whether all is well now. */
  boolean healthy() {
    return healthy(save());
  }

  /** Notes a step that changed the weights; returns why the run has diverged, or null. */
  String stepped(double bpc) {
    skipped = 0;
    if (bpc > FACTOR * mean) { // never of the first, where there is no mean
      high++;
      return high < HIGH_STEPS
          ? null
          : "%d steps in a row with a loss more than %s times its running mean of %.3f bits per character, the last %.3f"
              .formatted(high, FACTOR, mean, bpc);
    }
    high = 0;
    mean = Double.isNaN(mean) ? bpc : SMOOTHING * mean + (1 - SMOOTHING) * bpc;
    return null;
  }

  /** Notes a step that was skipped; returns why the run has diverged, or null. */
  String skipped(String figures) {
    skipped++;
    allSkipped++;
    return skipped < maxSkipped
        ? null
        : "%d skipped steps in a row, the last with %s".formatted(skipped, figures);
  }

  /** How many steps were skipped in all. */
  long allSkipped() {
    return allSkipped;
  }

  /** How often the run went back. */
  int rollbacks() {
    return rollbacks;
  }

  void rolledBack() {
    rollbacks++;
  }
}
