package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.io.Records;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The folder and the times of a run's checkpoints, and the rules for going back to one.
 *
 * <pre>{@code
 * SHARNNTrainer.builder(model).checkpoints(CheckpointPolicy.in(Path.of("runs/book")).resume())
 * }</pre>
 *
 * <p>A separate thread writes each checkpoint while training continues. If a checkpoint is not
 * finished when the next is due, training waits. A checkpoint that can't be written is logged as an
 * error and the run continues; after three in a row the run ends with an {@link
 * java.io.UncheckedIOException}. The run also saves a checkpoint at the end of each stage, and if
 * {@link io.github.sharnn.train.SHARNNTrainer.Builder#stopWhen} stops the run.
 *
 * <p>With checkpoints, a run also recovers from divergence. The run skips a step whose loss or
 * gradient norm is not finite. The run goes back to the last good checkpoint and halves the
 * learning rate in these cases:
 *
 * <ul>
 *   <li>after {@code skippedSteps} in a row,
 *   <li>if the loss scale is 1 and the gradients still overflow,
 *   <li>after 100 steps in a row with a loss above 1.5 times its running mean.
 * </ul>
 *
 * <p>After {@code rollbacks} rollbacks, the next divergence ends the run with a {@link
 * ai.djl.TrainingDivergedException}.
 *
 * @param folder the run's folder, made if it is missing
 * @param steps steps between checkpoints, or 0 to ignore the number of steps
 * @param interval time between checkpoints, or zero to ignore the time
 * @param keep number of checkpoints to keep, the newest; each also holds the best weights so far
 * @param skippedSteps number of skipped steps in a row after which the run goes back
 * @param rollbacks how often a run goes back before it gives up
 * @param resumes whether the run resumes from a checkpoint in the folder
 * @param resumeFrom the checkpoint to resume, or null for the newest
 */
public record CheckpointPolicy(
    Path folder,
    int steps,
    Duration interval,
    int keep,
    int skippedSteps,
    int rollbacks,
    boolean resumes,
    @Nullable Path resumeFrom) {

  /**
   * Checks the numbers.
   *
   * @param folder not null
   * @param steps at least 0
   * @param interval not negative
   * @param keep at least 1
   * @param skippedSteps at least 1
   * @param rollbacks at least 0
   * @param resumes true to resume
   * @param resumeFrom a folder in {@code folder}, or null
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
        resumeFrom == null
            || folder
                .toAbsolutePath()
                .normalize()
                .equals(resumeFrom.toAbsolutePath().normalize().getParent()),
        "the checkpoint %s is not in the run's folder %s",
        resumeFrom,
        folder);
  }

  /**
   * Saves every ten minutes, keeps the last three, gives up after 20 skipped steps in a row and
   * three rollbacks, and rejects a folder that already has checkpoints.
   *
   * @param folder the run's folder
   * @return the policy
   */
  public static CheckpointPolicy in(Path folder) {
    return new CheckpointPolicy(folder, 0, Duration.ofMinutes(10), 3, 20, 3, false, null);
  }

  /**
   * Saves every given number of steps instead of after a time.
   *
   * @param count at least 1; 0 for none but the last of each stage
   * @return the new policy
   */
  public CheckpointPolicy everySteps(int count) {
    return Records.with(this, "steps", count, "interval", Duration.ZERO);
  }

  /**
   * Saves after a given time instead of after a number of steps.
   *
   * @param time above 0; zero for none but the last of each stage
   * @return the new policy
   */
  public CheckpointPolicy every(Duration time) {
    return Records.with(this, "steps", 0, "interval", time);
  }

  /**
   * Changes the number of checkpoints to keep.
   *
   * @param count at least 1
   * @return the new policy
   */
  public CheckpointPolicy keep(int count) {
    return Records.with(this, "keep", count);
  }

  /**
   * Changes how many skipped steps in a row make the run go back.
   *
   * @param count at least 1
   * @return the new policy
   */
  public CheckpointPolicy skippedSteps(int count) {
    return Records.with(this, "skippedSteps", count);
  }

  /**
   * Changes how often the run goes back before it gives up.
   *
   * @param count at least 0
   * @return the new policy
   */
  public CheckpointPolicy rollbacks(int count) {
    return Records.with(this, "rollbacks", count);
  }

  /**
   * Resumes the newest checkpoint in the folder, or begins a new run if there is none.
   *
   * @return the new policy
   */
  public CheckpointPolicy resume() {
    return Records.with(this, "resumes", true, "resumeFrom", null);
  }

  /**
   * Resumes one checkpoint in the folder. Newer ones are renamed, not overwritten.
   *
   * @param checkpoint its folder
   * @return the new policy
   * @throws IllegalArgumentException if it is in another folder
   */
  public CheckpointPolicy resumeFrom(Path checkpoint) {
    return Records.with(this, "resumes", true, "resumeFrom", checkpoint);
  }
}
