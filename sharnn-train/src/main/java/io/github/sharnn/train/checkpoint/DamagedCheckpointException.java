package io.github.sharnn.train.checkpoint;

import java.io.IOException;

/** Thrown if a checkpoint is truncated, changed or incomplete. */
public final class DamagedCheckpointException extends IOException {

  private static final long serialVersionUID = 1;

  public DamagedCheckpointException(String message, Throwable cause) {
    super(message, cause);
  }
}
