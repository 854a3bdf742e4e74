package io.github.sharnn.train.checkpoint;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Thrown if a checkpoint is truncated, changed or incomplete. */
public final class DamagedCheckpointException extends IOException {

  private static final long serialVersionUID = 1;

  /**
   * Creates the exception.
   *
   * @param message names the checkpoint and the damage
   * @param cause the cause, or null for none
   */
  public DamagedCheckpointException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
