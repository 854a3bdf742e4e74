package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.collect.Maps;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The outer optimizer of DiLoCo (Douillard et al., arXiv:2311.08105): SGD with Nesterov momentum on
 * the mean change of several workers. Each worker trains {@code interval} steps by itself, from the
 * weights that all of them agree on. Then all of them take the same step:
 *
 * <pre>{@code
 * change_k = weights of worker k - agreed               in FLOAT16, times 1024
 * step     = rate * (change_0 + change_1 + ...) / workers   in FLOAT32, in this order
 * velocity = momentum * (velocity + step)
 * agreed   = agreed + step + velocity
 * }</pre>
 *
 * <p>All workers compute the same numbers, so the changes travel once, and no worker is special.
 * With Muon as the workers' own optimizer, the method is MuLoCo (arXiv:2505.23725).
 *
 * <p>An object serves one training at a time. It keeps the agreed weights and the velocity on the
 * model's device.
 */
public final class OuterStep {

  private static final String AGREED = "agreed.";
  private static final String VELOCITY = "velocity.";
  private static final float SCALE = 1024; // FLOAT16 reaches from 6e-8 to 65504
  private static final long MOST_WEIGHTS = 1L << 29; // in FLOAT16 half of the longest buffer

  private final Settings settings;
  private final Exchange exchange;
  private @Nullable MixedPrecisionWeights weights;
  private @Nullable NDManager manager; // owns the two lists
  private NDList agreed = new NDList(); // in the order of the weights
  private NDList velocity = new NDList(); // empty without momentum
  private boolean current; // whether the model's weights are the agreed ones
  private @Nullable ByteBuffer message;
  private int count;
  private long nanos;

  /**
   * The settings, which are the same for all workers.
   *
   * @param interval steps of a worker between two outer steps
   * @param rate the learning rate of the outer step
   * @param momentum the Nesterov momentum of the outer step
   * @param workers the number of workers
   * @serial exclude
   */
  public record Settings(int interval, float rate, float momentum, int workers)
      implements Serializable {

    /**
     * Checks the numbers.
     *
     * @param interval at least 1
     * @param rate above 0 and finite
     * @param momentum at least 0 and below 1
     * @param workers at least 1
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public Settings {
      checkArgument(interval >= 1, "interval must be at least 1 step, but is %s", interval);
      checkArgument(
          rate > 0 && Float.isFinite(rate),
          "outerRate must be above 0 and finite, but is %s",
          rate);
      checkArgument(
          momentum >= 0 && momentum < 1,
          "outerMomentum must be at least 0 and below 1, but is %s",
          momentum);
      checkArgument(workers >= 1, "numWorkers must be at least 1, but is %s", workers);
    }
  }

  /** The transport of messages between the workers. */
  @FunctionalInterface
  public interface Exchange {

    /**
     * Sends a message to all other workers, and waits for theirs.
     *
     * @param own this worker's message, a direct buffer from position to limit; all messages of a
     *     round have the same length
     * @return the messages of all workers in their order, direct buffers from position to limit,
     *     valid until the next call
     */
    List<ByteBuffer> exchange(ByteBuffer own);
  }

  /**
   * Creates the outer step of one worker.
   *
   * @param settings the settings
   * @param exchange the transport
   */
  public OuterStep(Settings settings, Exchange exchange) {
    this.settings = settings;
    this.exchange = exchange;
  }

  /**
   * {@return the outer step of a training without other workers}
   *
   * @param interval steps between two outer steps, at least 1
   * @param rate the learning rate of the outer step, above 0
   * @param momentum its Nesterov momentum, at least 0 and below 1
   */
  public static OuterStep alone(int interval, float rate, float momentum) {
    return new OuterStep(new Settings(interval, rate, momentum, 1), List::of);
  }

  /** {@return the settings} */
  public Settings settings() {
    return settings;
  }

  /** {@return the number of outer steps since the training began or resumed} */
  public int count() {
    return count;
  }

  /** {@return the time that these outer steps took, in seconds, with the waiting for others} */
  public double seconds() {
    return nanos / 1e9;
  }

  /**
   * Takes the weights of a training as the agreed ones. The trainer calls this method.
   *
   * @param trained the weights
   * @param owner a manager on their device, which outlives the training
   * @throws IllegalArgumentException if the model is too large
   */
  public void begin(MixedPrecisionWeights trained, NDManager owner) {
    long size = trained.masters().stream().mapToLong(NDArray::size).sum();
    checkArgument(
        size <= MOST_WEIGHTS,
        "an outer step needs a model of at most %s weights, but this one has %s: choose a smaller model",
        MOST_WEIGHTS,
        size);
    weights = trained;
    manager = owner;
    message =
        ByteBuffer.allocateDirect(Math.toIntExact(Double.BYTES + Short.BYTES * size))
            .order(ByteOrder.LITTLE_ENDIAN);
    count = 0;
    nanos = 0;
    agreed = zeros();
    velocity = settings.momentum() > 0 ? zeros() : new NDList();
    restore(Map.of());
  }

  private NDList zeros() {
    return new NDList(weights.masters().stream().map(a -> manager.zeros(a.getShape())).toList());
  }

  /**
   * Restores saved arrays. The trainer calls this method, after the weights are restored.
   *
   * @param saved copies of {@link #arrays}; without the agreed weights, these are the model's
   *     current ones
   */
  public void restore(Map<String, NDArray> saved) {
    current = !hasAgreed(saved.keySet());
    for (int i = 0; i < agreed.size(); i++) {
      copy(current ? weights.masters().get(i) : saved.get(AGREED + i), agreed.get(i));
      if (saved.containsKey(VELOCITY + i)) {
        copy(saved.get(VELOCITY + i), velocity.get(i));
      }
    }
  }

  /**
   * {@return true if the agreed weights are among saved arrays}
   *
   * @param names the names of the arrays
   */
  public static boolean hasAgreed(Set<String> names) {
    return names.contains(AGREED + 0);
  }

  private static void copy(NDArray from, NDArray to) {
    to.set(new NDIndex("..."), from);
  }

  /**
   * Checks that all workers start from the same weights. The trainer calls this method before the
   * first step.
   *
   * @param used the share of its budget that this worker has used
   * @return the largest share that any worker has used
   * @throws IllegalStateException if they do not
   */
  public double agree(double used) {
    if (settings.workers() == 1) {
      return used;
    }
    CRC32C sum = new CRC32C();
    for (NDArray array : agreed) {
      NDScope scope = new NDScope();
      try (scope) {
        sum.update(array.toDevice(Device.cpu(), false).toByteBuffer());
      }
    }
    ByteBuffer own = ByteBuffer.allocateDirect(Double.BYTES + Long.BYTES);
    own.order(ByteOrder.LITTLE_ENDIAN).putDouble(used).putLong(sum.getValue());
    List<ByteBuffer> all = all(own.flip());
    double most = all.stream().mapToDouble(ByteBuffer::getDouble).max().orElseThrow();
    for (int worker = 1; worker < all.size(); worker++) {
      checkState(
          all.get(worker).equals(all.get(0)),
          "all workers must start from the same weights, but worker %s has others than worker 0: use"
              + " one kind of device, one version of the software and one folder of checkpoints",
          worker);
    }
    return most;
  }

  private List<ByteBuffer> all(ByteBuffer own) {
    List<ByteBuffer> all = exchange.exchange(own);
    checkState(
        all.size() == settings.workers(),
        "the exchange must return %s messages, but returned %s",
        settings.workers(),
        all.size());
    return all.stream().map(each -> each.duplicate().order(ByteOrder.LITTLE_ENDIAN)).toList();
  }

  /**
   * Takes the step. The trainer calls this method.
   *
   * @param used the share of its budget that this worker has used
   * @return the largest share that any worker has used
   * @throws TrainingDivergedException if a weight changed by 64 or more, or is not finite
   */
  public double step(double used) {
    long begin = System.nanoTime();
    List<ByteBuffer> all = all(message(used));
    double most = all.stream().mapToDouble(ByteBuffer::getDouble).max().orElseThrow();
    for (int i = 0; i < agreed.size(); i++) {
      NDScope scope = new NDScope();
      try (scope) {
        step(i, all);
      }
    }
    weights.sync();
    current = true;
    count++;
    nanos += System.nanoTime() - begin;
    return most;
  }

  /** Packs the used share of the budget and the changes. */
  private ByteBuffer message(double used) {
    message.clear().putDouble(used);
    for (int i = 0; i < agreed.size(); i++) {
      NDScope scope = new NDScope();
      try (scope) { // small arrays: new memory takes longer than the sums
        NDArray change = weights.masters().get(i).sub(agreed.get(i)).muli(SCALE);
        NDArray half = change.toType(DataType.FLOAT16, false).toDevice(Device.cpu(), false);
        message.put(half.toByteBuffer(true));
      }
    }
    return message.flip();
  }

  /** Takes the step of one weight. The messages are at the positions of its changes. */
  private void step(int index, List<ByteBuffer> messages) {
    NDArray weight = weights.masters().get(index);
    NDArray step = manager.zeros(weight.getShape());
    for (ByteBuffer each : messages) {
      step.addi(change(each, weight.getShape()));
    }
    step.muli(settings.rate() / (SCALE * settings.workers()));
    if (!Float.isFinite(step.sum().getFloat())) {
      throw new TrainingDivergedException(
          "a weight changed by 64 or more between two outer steps, or is no number: use a lower learning"
              + " rate or a smaller interval");
    }
    agreed.get(index).addi(step);
    if (!velocity.isEmpty()) {
      agreed.get(index).addi(velocity.get(index).addi(step).muli(settings.momentum()));
    }
    copy(agreed.get(index), weight);
  }

  /** Reads the changes of a weight from a message. */
  private NDArray change(ByteBuffer from, Shape shape) {
    int bytes = Math.toIntExact(Short.BYTES * shape.size());
    ByteBuffer changes = from.slice(from.position(), bytes).order(ByteOrder.nativeOrder());
    from.position(from.position() + bytes);
    return manager.create(changes, shape, DataType.FLOAT16);
  }

  /** Notes that a step of the worker's own optimizer has moved the weights. */
  public void moved() {
    current = false;
  }

  /**
   * {@return the arrays that a checkpoint saves: the velocity, if there is a momentum, and the
   * agreed weights, unless they are the model's current ones}
   */
  public Map<String, NDArray> arrays() {
    return arrays(!current);
  }

  private Map<String, NDArray> arrays(boolean withAgreed) {
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    for (int i = 0; i < velocity.size(); i++) {
      arrays.put(VELOCITY + i, velocity.get(i));
    }
    for (int i = 0; withAgreed && i < agreed.size(); i++) {
      arrays.put(AGREED + i, agreed.get(i));
    }
    return arrays;
  }

  /**
   * {@return the shapes of {@link #arrays}}
   *
   * @param withAgreed whether the agreed weights are among them
   */
  public Map<String, Shape> shapes(boolean withAgreed) {
    return Maps.transformValues(arrays(withAgreed), NDArray::getShape);
  }
}
