package io.github.sharnn.train.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A part of a run that a checkpoint saves and a resumed run restores. */
public interface Stateful {

  /** {@return an immutable object of numbers and strings that Gson can write, or null for none} */
  default @Nullable Object state() {
    return null;
  }

  /**
   * {@return copies of the arrays by name, or null for no file of arrays}
   *
   * @param host the owner of the copies, a manager on the host
   */
  default @Nullable Map<String, NDArray> tensors(NDManager host) {
    return null;
  }

  /**
   * Restores this part.
   *
   * @param saved the part in the checkpoint
   * @throws DamagedCheckpointException if the checkpoint lacks what this part needs
   * @throws IOException if a file can't be read
   */
  void restore(SavedPart saved) throws IOException;

  /**
   * {@return a part of numbers and strings alone}
   *
   * @param <T> the state's type
   * @param type the state's type, which Gson can read and write
   * @param save returns the state
   * @param restore takes the saved state
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

  /** A function that restores a part. */
  interface Restore {

    /**
     * Restores a part.
     *
     * @param saved the part in the checkpoint
     * @throws IOException if the part is damaged or can't be read
     */
    void from(SavedPart saved) throws IOException;
  }

  /**
   * {@return a part of arrays, plus a state unless {@code state} returns null}
   *
   * @param state returns the state, or null for none
   * @param copy copies the arrays to a manager on the host, or returns null for no file of arrays
   * @param restore restores the part
   */
  static Stateful of(
      Supplier<@Nullable Object> state,
      Function<NDManager, @Nullable Map<String, NDArray>> copy,
      Restore restore) {
    return new Stateful() {
      @Override
      public @Nullable Object state() {
        return state.get();
      }

      @Override
      public @Nullable Map<String, NDArray> tensors(NDManager host) {
        return copy.apply(host);
      }

      @Override
      public void restore(SavedPart saved) throws IOException {
        restore.from(saved);
      }
    };
  }
}
