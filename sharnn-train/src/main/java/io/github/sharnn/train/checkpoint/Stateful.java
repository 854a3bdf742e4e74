package io.github.sharnn.train.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A part of a run that a checkpoint saves and a resumed run restores. */
public interface Stateful {

  /**
   * Returns the numbers and texts to save.
   *
   * @return an immutable object that Gson can write, or null for none
   */
  default @Nullable Object state() {
    return null;
  }

  /**
   * Copies the arrays to save.
   *
   * @param host the manager that owns the copies, in the host's memory
   * @return the copies by name, or null for no file of arrays
   */
  default @Nullable Map<String, NDArray> tensors(NDManager host) {
    return null;
  }

  /**
   * Restores this part.
   *
   * @param saved the same part of a checkpoint
   * @throws DamagedCheckpointException if the checkpoint does not hold what this part needs
   * @throws IOException if a file can't be read
   */
  void restore(SavedPart saved) throws IOException;

  /**
   * Makes a part of numbers and texts alone.
   *
   * @param <T> the type of the state
   * @param type the type of the state
   * @param save returns the state
   * @param restore takes a saved state
   * @return the part
   */
  static <T> Stateful of(Class<T> type, Supplier<T> save, Consumer<T> restore) {
    return new Stateful() {
      @Override
      public Object state() {
        return save.get();
      }

      @Override
      public void restore(SavedPart saved) throws IOException {
        restore.accept(saved.state(type));
      }
    };
  }
}
