package io.github.sharnn.train.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A part of a run that a checkpoint saves and a resumed run restores.
 *
 * @param state returns an immutable object of numbers and strings that Gson can write, or null for
 *     none
 * @param copy copies the arrays, by name, to a manager on the host, or returns null for no file of
 *     arrays
 * @param restore restores the part
 */
public record Stateful(
    Supplier<@Nullable Object> state,
    Function<NDManager, @Nullable Map<String, NDArray>> copy,
    Restore restore) {

  /** A function that restores a part. */
  public interface Restore {

    /**
     * Restores a part.
     *
     * @param saved the part in the checkpoint
     * @throws DamagedCheckpointException if the checkpoint lacks what this part needs
     * @throws IOException if a file can't be read
     */
    void from(SavedPart saved) throws IOException;
  }

  /**
   * {@return a part of numbers and strings alone}
   *
   * @param <T> the state's type
   * @param type the state's type, which Gson can read and write
   * @param save returns the state
   * @param restore takes the saved state
   */
  public static <T> Stateful of(Class<T> type, Supplier<T> save, Consumer<T> restore) {
    return new Stateful(save::get, host -> null, saved -> restore.accept(saved.state(type)));
  }
}
