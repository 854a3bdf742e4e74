package io.github.sharnn.train.optim;

import ai.djl.training.tracker.Tracker;

/**
 * The learning rate of a run, computed from a tracker, the used budget and the validation figures,
 * and halved for each rollback after a divergence.
 */
public final class CurrentLearningRate implements Tracker {

  private final Tracker tracker;
  private double used;
  private LearningRateSchedule.Plateaus plateaus = LearningRateSchedule.Plateaus.NONE;
  private float factor = 1;
  private float latest = Float.NaN;

  /**
   * Starts with no used budget, no plateau and factor 1.
   *
   * @param tracker the rate of each step, counted from 1; a {@link LearningRateSchedule} also gets
   *     the used budget and the plateaus
   */
  public CurrentLearningRate(Tracker tracker) {
    this.tracker = tracker;
  }

  /**
   * Sets the used share of the budget.
   *
   * @param part share used before the next step, from 0 to 1
   */
  public void used(double part) {
    used = part;
  }

  /**
   * Records a validation figure. It may begin a plateau.
   *
   * @param figure the figure; lower is better
   */
  public void evaluated(double figure) {
    if (tracker instanceof LearningRateSchedule schedule) {
      plateaus = schedule.after(plateaus, figure);
    }
  }

  /** {@return the plateaus so far, for a checkpoint} */
  public LearningRateSchedule.Plateaus plateaus() {
    return plateaus;
  }

  /**
   * Sets a factor of the tracker's rate.
   *
   * @param part the factor, at most 1
   */
  public void rateFactor(float part) {
    factor = part;
  }

  /**
   * Restores the state from a checkpoint.
   *
   * @param rate the rate of the last update, or NaN for none
   * @param before the plateaus so far
   */
  public void restore(float rate, LearningRateSchedule.Plateaus before) {
    latest = rate;
    plateaus = before;
  }

  @Override
  public float getNewValue(int step) {
    latest =
        factor
            * (tracker instanceof LearningRateSchedule schedule
                ? schedule.rate(step, used, plateaus.count())
                : tracker.getNewValue(step));
    return latest;
  }

  /** {@return the rate of the last update, also of a restored one, or NaN before the first} */
  public float latest() {
    return latest;
  }
}
