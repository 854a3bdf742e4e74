package io.github.sharnn.train;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/**
 * Thrown by {@link SHARNNTrainer#fit} if {@link SHARNNTrainer.Builder#stopWhen} stops the run. The
 * model then holds the weights of the last step.
 */
public final class TrainingStoppedException extends CancellationException {

  private static final long serialVersionUID = 1;

  private final transient long step;
  private final transient @Nullable Path checkpoint;

  TrainingStoppedException(long step, @Nullable Path checkpoint) {
    super(
        "training stopped after step %d%s"
            .formatted(step, checkpoint == null ? "" : "; saved in " + checkpoint));
    this.step = step;
    this.checkpoint = checkpoint;
  }

  /**
   * Returns the last complete step.
   *
   * @return the step, from 1
   */
  public long step() {
    return step;
  }

  /**
   * Returns the checkpoint to resume.
   *
   * @return the checkpoint's folder, or nothing if the run saves none
   */
  public Optional<Path> checkpoint() {
    return Optional.ofNullable(checkpoint);
  }
}
