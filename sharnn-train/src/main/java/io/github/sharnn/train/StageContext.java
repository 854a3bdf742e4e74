package io.github.sharnn.train;

import io.github.sharnn.train.optim.LearningRateSchedule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One stage of a run, with the results of the earlier stages.
 *
 * @param stages all stages
 * @param index the place of this stage, from 0
 * @param earlier the evaluations of each stage before this one
 * @param earlierBest the best weights of the stages before this one, or null in the first
 * @param checkpoints the checkpoints of the run, or null for none
 */
record StageContext(
    List<TrainingStage> stages,
    int index,
    List<List<StepReport>> earlier,
    @Nullable BestWeights earlierBest,
    @Nullable RunCheckpoints checkpoints) {

  /** Returns this stage's rate, or null for the trainer's own tracker. */
  @Nullable LearningRateSchedule learningRate() {
    return stages.get(index).learningRate();
  }

  /** Returns the checkpoint to resume in this stage, or null. */
  @Nullable Checkpoint resumed() {
    return checkpoints == null ? null : checkpoints.resumed(index);
  }
}
