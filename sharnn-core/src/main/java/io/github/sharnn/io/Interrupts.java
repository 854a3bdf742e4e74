package io.github.sharnn.io;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.CancellationException;

/**
 * The interrupts of a thread. Long computations end with a {@link CancellationException} soon after
 * {@link Thread#interrupt}, as by {@code Future.cancel(true)}. Reading and writing files goes on:
 * Java closes the channel of an interrupted thread, which would leave half of a file.
 *
 * <p>The thread's interrupt status stays set in both cases.
 */
public final class Interrupts {

  private Interrupts() {}

  /**
   * Ends a computation whose thread is interrupted. Call this method once for each step.
   *
   * @throws CancellationException if the thread is interrupted
   */
  public static void check() {
    if (Thread.currentThread().isInterrupted()) {
      throw new CancellationException("the thread was interrupted");
    }
  }

  /**
   * An operation on files that may run again from its start.
   *
   * @param <T> the type of its result
   * @param <E> the type of another exception than {@link IOException}
   */
  @FunctionalInterface
  public interface Operation<T, E extends Exception> {

    /**
     * Runs the operation.
     *
     * @return its result
     * @throws IOException if a file can't be read or written
     * @throws E if the operation fails otherwise
     */
    T run() throws IOException, E;
  }

  /**
   * Runs an operation on files to its end. If an interrupt closes one of its channels, the
   * operation starts again.
   *
   * @param operation opens its channels itself
   * @param <T> the type of its result
   * @param <E> the type of another exception than {@link IOException}
   * @return its result
   * @throws IOException if the operation throws another one than {@link ClosedByInterruptException}
   * @throws E if the operation throws it
   */
  public static <T, E extends Exception> T defer(Operation<T, E> operation) throws IOException, E {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        try {
          return operation.run();
        } catch (ClosedByInterruptException e) {
          interrupted |= Thread.interrupted();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
