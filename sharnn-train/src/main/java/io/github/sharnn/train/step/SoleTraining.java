package io.github.sharnn.train.step;

import static com.google.common.base.Preconditions.checkState;

import java.util.concurrent.atomic.AtomicReference;

/**
 * Lets one training at a time run in the process. DJL's engine has one gradient collector: a second
 * training would fail at some step of its own, or make the first one fail.
 */
public final class SoleTraining {

  private static final AtomicReference<String> RUNNING = new AtomicReference<>(); // null: none

  private SoleTraining() {}

  /** Takes the place, which {@link #end} gives back; fails if it is taken. */
  public static void begin(String model) {
    String thread = Thread.currentThread().getName();
    String other =
        RUNNING.compareAndExchange(null, "model %s on thread %s".formatted(model, thread));
    checkState(
        other == null,
        "model %s can't be trained on thread %s while fit trains %s: DJL's engine records the"
            + " gradients of one training at a time in a process; wait until that fit has returned,"
            + " or train in another process",
        model,
        thread,
        other);
  }

  /** Gives the place back. */
  public static void end() {
    RUNNING.set(null);
  }
}
