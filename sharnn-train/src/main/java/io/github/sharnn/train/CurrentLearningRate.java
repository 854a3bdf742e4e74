package io.github.sharnn.train;

import ai.djl.training.tracker.Tracker;
import java.util.List;

/**
 * The learning rate of one run: a tracker that is told how much of the budget is used, what the
 * evaluations gave, and how often the run went back to a checkpoint, which halves the rate each
 * time.
 */
final class CurrentLearningRate implements Tracker {

  private final Tracker tracker;
  private double used;
  private int plateaus;
  private float factor = 1;
  private float latest = Float.NaN;

  CurrentLearningRate(Tracker tracker) {
    this.tracker = tracker;
  }

  /** Notes how much of the budget is used, from 0 to 1. */
  void used(double part) {
    used = part;
  }

  /** Notes the evaluations so far of the stage, which may have come to a plateau. */
  void evaluations(List<StepReport> reports) {
    if (tracker instanceof LearningRateSchedule schedule) {
      plateaus = schedule.plateaus(reports.stream().map(StepReport::validationBpc).toList());
    }
  }

  /** Notes how often the run went back. */
  void rollbacks(int count) {
    factor = (float) Math.pow(0.5, count);
  }

  /** Brings back the rate of the last update. */
  void restore(float rate) {
    latest = rate;
  }

  @Override
  public float getNewValue(int step) {
    latest =
        factor
            * (tracker instanceof LearningRateSchedule schedule
                ? schedule.rate(step, used, plateaus)
                : tracker.getNewValue(step));
    return latest;
  }

  /** The rate of the last update, or NaN before the first. */
  float latest() {
    return latest;
  }
}
