package io.github.sharnn.train;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/**
 * Thrown by {@link SHARNNTrainer#fit} if {@link SHARNNTrainer.Builder#stopWhen} stops the run. The
 * model holds the weights of the last step, not the best weights.
 */
public final class TrainingStoppedException extends CancellationException {

  private static final long serialVersionUID = 1;

  private final transient long step;
  private final transient @Nullable Path checkpoint;

  TrainingStoppedException(long step, @Nullable Path checkpoint) {
    super(
        String.format(
            Locale.ROOT,
            "training stopped after step %d%s",
            step,
            checkpoint == null ? "" : "; saved in " + checkpoint));
    this.step = step;
    this.checkpoint = checkpoint;
  }

  /** {@return the last complete step, from 1} */
  public long step() {
    return step;
  }

  /** {@return the checkpoint's folder, or empty if the run saves no checkpoints} */
  public Optional<Path> checkpoint() {
    return Optional.ofNullable(checkpoint);
  }
}
