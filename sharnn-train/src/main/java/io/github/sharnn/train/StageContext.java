package io.github.sharnn.train;

import io.github.sharnn.train.checkpoint.Checkpoint;
import java.util.List;

/**
 * One stage of a run among its others.
 *
 * @param stages all of them
 * @param index which one this is, from 0
 * @param earlier the evaluations of each stage before this one
 * @param earlierBest the best weights of the stages before this one, or null in the first
 * @param checkpoints of the run, or null where it saves none
 */
record StageContext(
    List<TrainingStage> stages,
    int index,
    List<List<StepReport>> earlier,
    BestWeights earlierBest,
    RunCheckpoints checkpoints) {

  /** The checkpoint that this very stage goes on with, or null. */
  Checkpoint resumed() {
    return checkpoints == null
        ? null
        : checkpoints.resumed().filter(checkpoint -> checkpoint.stage() == index).orElse(null);
  }
}
