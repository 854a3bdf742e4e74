package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.Sets;
import io.github.sharnn.io.Records;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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
 * <p>Each checkpoint stores the policy. A resumed run takes every option that was not set from its
 * checkpoint, and logs the options that were set to another value.
 *
 * @param folder the run's folder, made if it is missing
 * @param steps steps between checkpoints, or 0 to ignore the number of steps
 * @param interval time between checkpoints, or zero to ignore the time
 * @param keep number of checkpoints to keep, the newest; each also holds the best weights so far
 * @param skippedSteps number of skipped steps in a row after which the run goes back
 * @param rollbacks how often a run goes back before it gives up
 * @param program options of the program that trains, by name; checkpoints store them unread
 * @param given names of the components that were set; a resumed run takes the others from its
 *     checkpoint
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
    Map<String, String> program,
    Set<String> given,
    boolean resumes,
    @Nullable Path resumeFrom) {

  /** The components that another policy does not give. */
  private static final Set<String> OF_THE_RUN = Set.of("folder", "given", "resumes", "resumeFrom");

  private static final Duration LONGEST = Duration.ofDays(36_525); // counted in nanoseconds

  /**
   * Checks the numbers.
   *
   * @param folder not null
   * @param steps at least 0
   * @param interval from zero to 100 years
   * @param keep at least 1
   * @param skippedSteps at least 1
   * @param rollbacks at least 0
   * @param program without null
   * @param given names of components
   * @param resumes true to resume
   * @param resumeFrom a folder in {@code folder}, or null
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public CheckpointPolicy {
    checkArgument(folder != null, "the folder of checkpoints must not be null");
    checkArgument(steps >= 0, "steps between checkpoints must be at least 0, but are %s", steps);
    checkArgument(
        !interval.isNegative() && interval.compareTo(LONGEST) <= 0,
        "the time between checkpoints must not be negative or above 100 years, but is %s: set zero"
            + " for none but the last of each stage",
        interval);
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
    program = Map.copyOf(program);
    given = Set.copyOf(given);
  }

  /**
   * Saves every ten minutes, keeps the last three, gives up after 20 skipped steps in a row and
   * three rollbacks, and rejects a folder that already has checkpoints.
   *
   * @param folder the run's folder
   * @return the policy
   */
  public static CheckpointPolicy in(Path folder) {
    return new CheckpointPolicy(
        folder, 0, Duration.ofMinutes(10), 3, 20, 3, Map.of(), Set.of(), false, null);
  }

  /** Sets options, and notes their names as given. */
  private CheckpointPolicy set(Object... options) {
    Stream<String> names =
        IntStream.range(0, options.length / 2).mapToObj(i -> "" + options[2 * i]);
    Set<String> all = Stream.concat(given.stream(), names).collect(Collectors.toUnmodifiableSet());
    return Records.with(Records.with(this, options), "given", all);
  }

  /**
   * Takes each option that was not set from another policy, such as that of the run to resume.
   *
   * @param other the other policy
   * @return the new policy, with the same folder
   */
  public CheckpointPolicy orElse(CheckpointPolicy other) {
    Map<String, Object> others = Records.values(other);
    others.keySet().removeAll(Sets.union(given, OF_THE_RUN));
    Map<String, Object> values = Records.values(this);
    values.putAll(others);
    return Records.of(CheckpointPolicy.class, values);
  }

  /**
   * Saves every given number of steps instead of after a time.
   *
   * @param count at least 1; 0 for none but the last of each stage
   * @return the new policy
   */
  public CheckpointPolicy everySteps(int count) {
    return set("steps", count, "interval", Duration.ZERO);
  }

  /**
   * Saves after a given time instead of after a number of steps.
   *
   * @param time above 0; zero for none but the last of each stage
   * @return the new policy
   */
  public CheckpointPolicy every(Duration time) {
    return set("steps", 0, "interval", time);
  }

  /**
   * Changes the number of checkpoints to keep.
   *
   * @param count at least 1
   * @return the new policy
   */
  public CheckpointPolicy keep(int count) {
    return set("keep", count);
  }

  /**
   * Changes how many skipped steps in a row make the run go back.
   *
   * @param count at least 1
   * @return the new policy
   */
  public CheckpointPolicy skippedSteps(int count) {
    return set("skippedSteps", count);
  }

  /**
   * Changes how often the run goes back before it gives up.
   *
   * @param count at least 0
   * @return the new policy
   */
  public CheckpointPolicy rollbacks(int count) {
    return set("rollbacks", count);
  }

  /**
   * Stores options of the program that trains in each checkpoint, such as its own settings, for the
   * program to read from {@link io.github.sharnn.train.Checkpoint#policy} when it resumes the run.
   * Default none, or those of the run to resume.
   *
   * @param options the options by name; together at most some kilobytes
   * @return the new policy
   */
  public CheckpointPolicy program(Map<String, String> options) {
    return set("program", options);
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
