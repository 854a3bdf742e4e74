package io.github.sharnn.train.step;

import static com.google.common.base.Preconditions.checkState;
import static com.google.common.base.Strings.lenientFormat;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A lock that allows one training run per process. DJL's engine has one gradient collector, so a
 * second training would make one of the two fail.
 */
public final class SoleTraining {

  private static final AtomicReference<@Nullable String> RUNNING = new AtomicReference<>();

  private SoleTraining() {}

  /**
   * Takes the lock, until {@link #end}.
   *
   * @param model name of the model, for the message
   * @throws IllegalStateException if another training has the lock
   */
  public static void begin(String model) {
    String thread = Thread.currentThread().getName();
    String other =
        RUNNING.compareAndExchange(null, lenientFormat("model %s on thread %s", model, thread));
    checkState(
        other == null,
        "model %s can't be trained on thread %s while fit trains %s: DJL's engine records the"
            + " gradients of one training at a time in a process; wait until that fit has returned,"
            + " or train in another process",
        model,
        thread,
        other);
  }

  /** Releases the lock. */
  public static void end() {
    RUNNING.set(null);
  }
}
