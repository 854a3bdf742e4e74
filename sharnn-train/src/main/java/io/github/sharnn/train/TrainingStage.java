package io.github.sharnn.train;

import io.github.sharnn.train.optim.LearningRateSchedule;
import java.io.Serializable;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A learning rate and a budget. Each stage of a run starts from the best weights of the previous
 * stage with a new optimizer.
 *
 * @param learningRate the rate of each step, counted from 1 in each stage; null in a checkpoint of
 *     a run with a tracker that is no {@link LearningRateSchedule}
 * @param budget how long the stage trains
 * @serial exclude
 */
public record TrainingStage(@Nullable LearningRateSchedule learningRate, Budget budget)
    implements Serializable {

  static final List<TrainingStage> PAPER =
      List.of(
          new TrainingStage(LearningRateSchedule.peak(2e-3f).warmUp(800), Budget.epochs(32)),
          new TrainingStage(
              LearningRateSchedule.peak(1e-3f).warmUp(800), Budget.epochs(32).patience(3)));

  /** Describes the stage in words, as "32 epochs at rate 0.002, warm-up of 800 steps". */
  @Override
  public String toString() {
    return budget + " at " + (learningRate == null ? "a rate of its own" : "rate " + learningRate);
  }
}
