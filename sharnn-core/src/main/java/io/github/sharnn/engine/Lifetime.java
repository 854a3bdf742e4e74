package io.github.sharnn.engine;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.ndarray.NDManager;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The time in which a model's arrays may be used. PyTorch ends the process if an array is freed
 * during a computation, so each call holds a {@link Lease}. {@link #close} waits for the leases
 * that are held, rejects new ones, and then frees the arrays.
 *
 * <p>A thread with a lease can always take more. It never waits in {@code close}: the last call
 * frees the arrays instead. A callback can therefore close the model that calls it.
 *
 * <p>An open text holds no lease while nobody reads it, only a {@link Hold}. {@link
 * #closeWhenUnused} waits for holds too, {@link #close} does not.
 */
public final class Lifetime implements AutoCloseable {

  /** The leases of the current thread, of all models. */
  private static final ThreadLocal<int[]> HELD = ThreadLocal.withInitial(() -> new int[1]);

  private enum State {
    OPEN,
    RETIRED, // closed as soon as there are no leases and no holds
    CLOSED, // freed as soon as there are no leases
    FREEING,
    FREED
  }

  private final String name;
  private final NDManager manager;
  private volatile @Nullable Lifetime weights; // of the model whose weights this one shares
  private final Map<Thread, Integer> leases = new HashMap<>();
  private int holds;
  private State state = State.OPEN;

  /**
   * Begins a lifetime.
   *
   * @param name the model's name, for messages
   * @param manager the owner of the model's arrays and of those of its calls; closed at the end
   */
  public Lifetime(String name, NDManager manager) {
    this.name = name;
    this.manager = manager;
  }

  /** The right to use a model's arrays, until it is closed by the thread that took it. */
  public final class Lease implements AutoCloseable {

    private final @Nullable Lease ofWeights;

    private Lease(@Nullable Lease ofWeights) {
      this.ofWeights = ofWeights;
    }

    /** Ends the use of the arrays, and frees them if they wait for that. */
    @Override
    public void close() {
      HELD.get()[0]--;
      synchronized (Lifetime.this) {
        leases.computeIfPresent(Thread.currentThread(), (thread, n) -> n == 1 ? null : n - 1);
      }
      freeIfUnused();
      if (ofWeights != null) {
        ofWeights.close();
      }
    }
  }

  /** An open text, which puts {@link #closeWhenUnused} off and takes a lease for each token. */
  public final class Hold implements AutoCloseable {

    private final @Nullable Hold ofWeights;
    private boolean closed;

    private Hold(@Nullable Hold ofWeights) {
      this.ofWeights = ofWeights;
    }

    /** {@return a lease, or null if the model is closed} */
    public @Nullable Lease tryLease() {
      return Lifetime.this.tryLease(true);
    }

    /** Ends the text. */
    @Override
    public void close() {
      synchronized (Lifetime.this) {
        if (closed) {
          return;
        }
        closed = true;
        holds--;
      }
      freeIfUnused();
      if (ofWeights != null) {
        ofWeights.close();
      }
    }
  }

  /**
   * Makes this model depend on the one whose weights it shares.
   *
   * @param other the lifetime of the weights
   */
  public void shareWeights(Lifetime other) {
    if (other.weights != this) {
      weights = other;
    }
  }

  /** {@return the owner of the model's arrays, for the arrays of a call with a lease} */
  public NDManager manager() {
    return manager;
  }

  /** {@return true unless the model, or the one whose weights it shares, is closed} */
  public boolean isOpen() {
    synchronized (this) {
      if (state != State.OPEN) {
        return false;
      }
    }
    return weights == null || weights.isOpen();
  }

  /**
   * {@return a lease}
   *
   * @throws IllegalStateException if the model is closed
   */
  public Lease lease() {
    Lease lease = tryLease();
    if (lease == null) {
      throw new IllegalStateException(lenientFormat("the model %s is closed", closedName()));
    }
    return lease;
  }

  private synchronized String closedName() {
    return weights == null || state != State.OPEN ? name : weights.closedName();
  }

  /** {@return a lease, or null if the model is closed} */
  public @Nullable Lease tryLease() {
    return tryLease(false);
  }

  private @Nullable Lease tryLease(boolean ofText) {
    Lease ofWeights = null;
    if (weights != null) {
      ofWeights = weights.tryLease(ofText);
      if (ofWeights == null) {
        return null;
      }
    }
    synchronized (this) {
      Thread thread = Thread.currentThread();
      if (state == State.OPEN || (state == State.RETIRED && ofText) || leases.containsKey(thread)) {
        leases.merge(thread, 1, Integer::sum);
        HELD.get()[0]++;
        return new Lease(ofWeights);
      }
    }
    if (ofWeights != null) {
      ofWeights.close();
    }
    return null;
  }

  /** {@return a hold for a text that is about to begin; the caller has a lease} */
  public Hold hold() {
    Hold ofWeights = weights == null ? null : weights.hold();
    synchronized (this) {
      holds++;
    }
    return new Hold(ofWeights);
  }

  /** Closes the model once no call and no open text uses it. Does not wait for that. */
  public void closeWhenUnused() {
    synchronized (this) {
      if (state == State.OPEN) {
        state = State.RETIRED;
      }
    }
    freeIfUnused();
  }

  /**
   * Rejects new leases, waits until the others are returned, and frees the arrays. Does not wait in
   * a thread that has a lease of any model, as in a callback; the last lease then frees the arrays.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (state == State.OPEN || state == State.RETIRED) {
        state = State.CLOSED;
      }
    }
    freeIfUnused();
    if (HELD.get()[0] == 0) {
      awaitFreed();
    }
  }

  private void awaitFreed() {
    boolean interrupted = false;
    synchronized (this) {
      while (state != State.FREED) {
        try {
          wait();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void freeIfUnused() {
    synchronized (this) {
      boolean ended = state == State.CLOSED || (state == State.RETIRED && holds == 0);
      if (!ended || !leases.isEmpty()) {
        return;
      }
      state = State.FREEING;
    }
    try {
      manager.close();
    } finally {
      synchronized (this) {
        state = State.FREED;
        notifyAll();
      }
    }
  }
}
