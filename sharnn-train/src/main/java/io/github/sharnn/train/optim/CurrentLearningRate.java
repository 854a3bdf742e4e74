package io.github.sharnn.train.optim;

import ai.djl.training.tracker.Tracker;

/**
 * The learning rate of one run: a tracker that is told how much of the budget is used, what the
 * evaluations gave, and how often the run went back to a checkpoint, which halves the rate each
 * time.
 */
public final class CurrentLearningRate implements Tracker {

  private final Tracker tracker;
  private double used;
  private LearningRateSchedule.Plateaus plateaus = LearningRateSchedule.Plateaus.NONE;
  private float factor = 1;
  private float latest = Float.NaN;

  public CurrentLearningRate(Tracker tracker) {
    this.tracker = tracker;
  }

  /** Notes how much of the budget is used, from 0 to 1. */
  public void used(double part) {
    used = part;
  }

  /** Notes a validation figure, which may make a plateau. */
  public void evaluated(double figure) {
    if (tracker instanceof LearningRateSchedule schedule) {
      plateaus = schedule.after(plateaus, figure);
    }
  }

  public LearningRateSchedule.Plateaus plateaus() {
    return plateaus;
  }

  /** Notes how often the run went back. */
  public void rollbacks(int count) {
    factor = (float) Math.pow(0.5, count);
  }

  /** Brings back the rate of the last update, and what the evaluations came to. */
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

  /** The rate of the last update, or NaN before the first. */
  public float latest() {
    return latest;
  }
}
