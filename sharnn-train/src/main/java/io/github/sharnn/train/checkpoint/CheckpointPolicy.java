package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import java.nio.file.Path;
import java.time.Duration;

/**
 * Where and when a run saves checkpoints, and how it comes back from one.
 *
 * <pre>{@code
 * SHARNNTrainer.builder(model).checkpoints(CheckpointPolicy.in(Path.of("runs/book")).resume())
 * }</pre>
 *
 * <p>A {@link Checkpoint} is written on a thread of its own while training goes on; one that is not
 * yet on the disk when the next is due is waited for. One that can't be written is logged as an
 * error and the run goes on; after three in a row it ends with an {@link
 * java.io.UncheckedIOException}. There is one more checkpoint at the end of each stage and where
 * {@link io.github.sharnn.train.SHARNNTrainer.Builder#stopWhen} stops the run.
 *
 * <p>With checkpoints a run also comes back from divergence. A step whose loss or gradient norm is
 * not finite is skipped. After {@code skippedSteps} in a row, or where the loss scale is used up,
 * or after 100 steps in a row whose loss was 1.5 times its running mean, the run goes back to the
 * last checkpoint from before the trouble, with half the learning rate, at most {@code rollbacks}
 * times; then it ends with a {@link ai.djl.TrainingDivergedException}.
 *
 * @param folder the run's folder, made where it is missing
 * @param steps steps between checkpoints, or 0 for none by steps
 * @param interval time between checkpoints, or zero for none by time
 * @param keep how many of the newest are kept, at least 1; each also holds the best weights so far
 * @param skippedSteps steps in a row without a finite loss and norm that make the run go back
 * @param rollbacks how often a run goes back before it gives up
 * @param resumes whether the run goes on with the newest checkpoint in the folder
 * @param resumeFrom the checkpoint that the run goes on with, or null for the newest
 */
public record CheckpointPolicy(
    Path folder,
    int steps,
    Duration interval,
    int keep,
    int skippedSteps,
    int rollbacks,
    boolean resumes,
    Path resumeFrom) {

  /**
   * Checks the numbers.
   *
   * @param folder the run's folder
   * @param steps at least 0
   * @param interval not negative
   * @param keep at least 1
   * @param skippedSteps at least 1
   * @param rollbacks at least 0
   * @param resumes whether to go on with the newest checkpoint
   * @param resumeFrom a checkpoint in the folder, or null
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public CheckpointPolicy {
    checkArgument(folder != null, "the folder of checkpoints must not be null");
    checkArgument(steps >= 0, "steps between checkpoints must be at least 0, but are %s", steps);
    checkArgument(
        !interval.isNegative(), "the time between checkpoints must not be negative: %s", interval);
    checkArgument(keep >= 1, "checkpoints to keep must be at least 1, but are %s", keep);
    checkArgument(skippedSteps >= 1, "skippedSteps must be at least 1, but is %s", skippedSteps);
    checkArgument(rollbacks >= 0, "rollbacks must be at least 0, but is %s", rollbacks);
    checkArgument(
        resumeFrom == null || folder.toAbsolutePath().normalize().equals(parent(resumeFrom)),
        "the checkpoint %s is not in the run's folder %s",
        resumeFrom,
        folder);
  }

  private static Path parent(Path checkpoint) {
    return checkpoint.toAbsolutePath().normalize().getParent();
  }

  /**
   * Saves every ten minutes, keeps the last three, gives up after 20 skipped steps in a row and
   * three rollbacks, and refuses a folder that has checkpoints already.
   *
   * @param folder the run's folder
   * @return the policy
   */
  public static CheckpointPolicy in(Path folder) {
    return new CheckpointPolicy(folder, 0, Duration.ofMinutes(10), 3, 20, 3, false, null);
  }

  /**
   * Saves after a number of steps, and no longer after a time.
   *
   * @param count at least 1; 0 for none but the last of each stage
   * @return the new policy
   */
  public CheckpointPolicy everySteps(int count) {
    return new CheckpointPolicy(
        folder, count, Duration.ZERO, keep, skippedSteps, rollbacks, resumes, resumeFrom);
  }

  /**
   * Saves after a time, and no longer after a number of steps.
   *
   * @param time above 0; zero for none but the last of each stage
   * @return the new policy
   */
  public CheckpointPolicy every(Duration time) {
    return new CheckpointPolicy(
        folder, 0, time, keep, skippedSteps, rollbacks, resumes, resumeFrom);
  }

  /**
   * Changes how many checkpoints are kept.
   *
   * @param count at least 1
   * @return the new policy
   */
  public CheckpointPolicy keep(int count) {
    return new CheckpointPolicy(
        folder, steps, interval, count, skippedSteps, rollbacks, resumes, resumeFrom);
  }

  /**
   * Changes how many skipped steps in a row make the run go back.
   *
   * @param count at least 1
   * @return the new policy
   */
  public CheckpointPolicy skippedSteps(int count) {
    return new CheckpointPolicy(
        folder, steps, interval, keep, count, rollbacks, resumes, resumeFrom);
  }

  /**
   * Changes how often the run goes back before it gives up.
   *
   * @param count at least 0
   * @return the new policy
   */
  public CheckpointPolicy rollbacks(int count) {
    return new CheckpointPolicy(
        folder, steps, interval, keep, skippedSteps, count, resumes, resumeFrom);
  }

  /**
   * Goes on with the newest checkpoint in the folder, or begins anew where there is none.
   *
   * @return the new policy
   */
  public CheckpointPolicy resume() {
    return new CheckpointPolicy(folder, steps, interval, keep, skippedSteps, rollbacks, true, null);
  }

  /**
   * Goes on with one checkpoint in the folder. Newer ones are renamed, not overwritten.
   *
   * @param checkpoint its folder
   * @return the new policy
   * @throws IllegalArgumentException if it is in another folder
   */
  public CheckpointPolicy resumeFrom(Path checkpoint) {
    return new CheckpointPolicy(
        folder, steps, interval, keep, skippedSteps, rollbacks, true, checkpoint);
  }
}
