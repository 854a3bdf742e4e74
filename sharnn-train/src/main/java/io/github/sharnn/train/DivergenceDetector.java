package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.TrainingDivergedException;
import io.github.sharnn.train.optim.LossScaler;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A detector of divergence: many skipped steps in a row, a loss far above its mean for long, or a
 * gradient that is not finite even without a loss scale.
 */
final class DivergenceDetector {

  private static final Logger LOGGER = LoggerFactory.getLogger(SHARNNTrainer.class);
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

  /** The counts, for a checkpoint. */
  record Saved(double mean, int high, int skipped, long allSkipped, int rollbacks) {

    Saved {
      checkArgument(
          !Double.isInfinite(mean)
              && high >= 0
              && skipped >= 0
              && allSkipped >= 0
              && rollbacks >= 0,
          "a count is negative, or the mean loss infinite");
    }

    /** Returns true if the last step was not skipped and its loss was not high. */
    boolean healthy() {
      return high == 0 && skipped == 0;
    }
  }

  Saved save() {
    return new Saved(mean, high, skipped, allSkipped, rollbacks);
  }

  /** Restores the counts, but keeps the number of rollbacks if it is higher. */
  void restore(Saved saved) {
    mean = saved.mean;
    high = saved.high;
    skipped = saved.skipped;
    allSkipped = saved.allSkipped;
    rollbacks = Math.max(rollbacks, saved.rollbacks);
  }

  /**
   * Counts a step, adjusts the loss scale, and throws if the run has diverged. The step was skipped
   * if the gradient norm or the loss is not finite.
   */
  void check(long step, double bpc, double norm, LossScaler lossScale, boolean canGoBack) {
    String reason;
    if (Double.isFinite(bpc) && Double.isFinite(norm)) {
      lossScale.good();
      reason = completed(bpc);
    } else {
      String figures = lenientFormat("loss %s bits per character, gradient norm %s", bpc, norm);
      if (!Double.isFinite(bpc) && !canGoBack) {
        throw diverged(step, figures);
      }
      LOGGER.info("step {} skipped: {}", step, figures);
      reason = skipped(figures);
      if (Double.isFinite(bpc) && (lossScale.isDynamic() || !canGoBack) && !lossScale.overflow()) {
        throw diverged(step, lossScale.cause());
      }
    }
    if (canGoBack && reason != null) {
      throw diverged(step, reason);
    }
  }

  /** Counts a step that changed the weights; returns why the run has diverged, or null. */
  private @Nullable String completed(double bpc) {
    skipped = 0;
    if (bpc > FACTOR * mean) { // false for the first loss, because the mean is NaN
      high++;
      return high < HIGH_STEPS
          ? null
          : String.format(
              Locale.ROOT,
              "%d steps in a row with a loss more than %s times its running mean of %.3f bits per character, the last %.3f",
              high,
              FACTOR,
              mean,
              bpc);
    }
    high = 0;
    mean = Double.isNaN(mean) ? bpc : SMOOTHING * mean + (1 - SMOOTHING) * bpc;
    return null;
  }

  /** Counts a skipped step; returns why the run has diverged, or null. */
  private @Nullable String skipped(String figures) {
    skipped++;
    allSkipped++;
    return skipped < maxSkipped
        ? null
        : lenientFormat("%s skipped steps in a row, the last with %s", skipped, figures);
  }

  /** Returns how many steps were skipped in all. */
  long allSkipped() {
    return allSkipped;
  }

  /** Returns how often the run went back. */
  int rollbacks() {
    return rollbacks;
  }

  /** Returns the factor of the learning rate, which each rollback halves. */
  float rateFactor() {
    return (float) Math.pow(0.5, rollbacks);
  }

  void rolledBack() {
    rollbacks++;
  }

  static TrainingDivergedException diverged(long step, String reason) {
    return new TrainingDivergedException(
        lenientFormat(
            "training diverged at step %s: %s; lower the learning rate or warm up longer",
            step, reason));
  }
}
