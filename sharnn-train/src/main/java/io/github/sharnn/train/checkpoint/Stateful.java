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

  /** Returns an immutable object of numbers and strings that Gson can write, or null for none. */
  default @Nullable Object state() {
    return null;
  }

  /** Copies the arrays to a manager on the host; returns null for no file of arrays. */
  default @Nullable Map<String, NDArray> tensors(NDManager host) {
    return null;
  }

  /** Restores this part, or throws if the checkpoint does not hold what this part needs. */
  void restore(SavedPart saved) throws IOException;

  /** Makes a part of numbers and strings alone. */
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

  /** Restores a part. */
  interface Restore {
    void from(SavedPart saved) throws IOException;
  }

  /** Creates a part of arrays, plus a state unless {@code state} returns null. */
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
