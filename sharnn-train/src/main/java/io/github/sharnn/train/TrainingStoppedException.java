package io.github.sharnn.train;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CancellationException;

/**
 * Thrown by {@link SHARNNTrainer#fit} where {@link SHARNNTrainer.Builder#stopWhen} stopped it. The
 * model then holds the weights of the last step.
 */
public final class TrainingStoppedException extends CancellationException {

  private static final long serialVersionUID = 1;

  private final transient long step;
  private final transient Path checkpoint;

  TrainingStoppedException(long step, Path checkpoint) {
    super(
        "training stopped after step %d%s"
            .formatted(step, checkpoint == null ? "" : "; saved in " + checkpoint));
    this.step = step;
    this.checkpoint = checkpoint;
  }

  /**
   * Returns the last step that was finished.
   *
   * @return the step, from 1
   */
  public long step() {
    return step;
  }

  /**
   * Returns where the run can go on.
   *
   * @return the checkpoint's folder, or nothing where the run saves none
   */
  public Optional<Path> checkpoint() {
    return Optional.ofNullable(checkpoint);
  }
}
