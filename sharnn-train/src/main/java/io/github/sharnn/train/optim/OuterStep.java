package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
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
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The outer optimizer of DiLoCo (Douillard et al., arXiv:2311.08105): SGD with Nesterov momentum on
 * the mean change of several workers. Each worker trains {@code interval} steps by itself, from the
 * weights that all of them agree on. Then all of them take the same step:
 *
 * <pre>{@code
 * delta_k  = agreed - weights of worker k          in FLOAT16, times 1024
 * mean     = (delta_0 + delta_1 + ...) / workers   in FLOAT32, in this order
 * velocity = momentum * velocity + mean
 * agreed   = agreed - rate * (mean + momentum * velocity)
 * }</pre>
 *
 * <p>All workers compute the same numbers, so the changes travel once, and no worker is special.
 * With Muon as the workers' own optimizer, the method is MuLoCo (arXiv:2505.23725).
 *
 * <p>An object serves one training at a time. It keeps the agreed weights and the velocity on the
 * model's device.
 */
public final class OuterStep {

  /** The name of the agreed weights among {@link #arrays}. */
  public static final String AGREED = "outer.agreed";

  private static final String VELOCITY = "outer.velocity";
  private static final float SCALE = 1024; // the smallest number of FLOAT16 is 6e-8
  private static final float LARGEST = 65_504; // of FLOAT16
  private static final long MOST_WEIGHTS = (1L << 29) - 1; // FLOAT32 in less than 2 GiB

  private final Settings settings;
  private final Exchange exchange;
  private @Nullable MixedPrecisionWeights weights;
  private @Nullable NDManager manager; // owns the two arrays
  private @Nullable NDArray agreed; // all weights in one row
  private @Nullable NDArray velocity; // null without momentum
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
    message = null;
    count = 0;
    nanos = 0;
    agreed = owner.zeros(new Shape(size), DataType.FLOAT32);
    velocity = settings.momentum() > 0 ? agreed.duplicate() : null;
    restore(Map.of());
  }

  /**
   * Restores saved arrays. The trainer calls this method, after the weights are restored.
   *
   * @param saved copies of {@link #arrays}; without the agreed weights, these are the model's
   *     current ones
   */
  public void restore(Map<String, NDArray> saved) {
    current = !saved.containsKey(AGREED);
    try (NDArray now = flat()) {
      copy(saved.getOrDefault(AGREED, now), agreed);
    }
    if (velocity != null && saved.containsKey(VELOCITY)) {
      copy(saved.get(VELOCITY), velocity);
    }
  }

  private static void copy(NDArray from, NDArray to) {
    to.set(new NDIndex("..."), from);
  }

  /** Returns the model's weights in one row, as a new array. */
  private NDArray flat() {
    NDList rows = new NDList();
    weights.masters().forEach(array -> rows.add(array.reshape(-1)));
    try (rows) {
      return NDArrays.concat(rows);
    }
  }

  /**
   * Checks that all workers start from the same weights. The trainer calls this method before the
   * first step.
   *
   * @throws IllegalStateException if they do not
   */
  public void agree() {
    if (settings.workers() == 1) {
      return;
    }
    CRC32C sum = new CRC32C();
    try (NDScope ignored = new NDScope()) {
      sum.update(agreed.toDevice(Device.cpu(), false).toByteBuffer());
    }
    List<ByteBuffer> all =
        all(ByteBuffer.allocateDirect(Long.BYTES).putLong(sum.getValue()).flip());
    for (int worker = 1; worker < all.size(); worker++) {
      checkState(
          all.get(worker).equals(all.get(0)),
          "all workers must start from the same weights, but worker %s has others than worker 0: use"
              + " one kind of device, one version of the software and one folder of checkpoints",
          worker);
    }
  }

  private List<ByteBuffer> all(ByteBuffer own) {
    List<ByteBuffer> all = exchange.exchange(own);
    checkState(
        all.size() == settings.workers(),
        "the exchange must return %s messages, but returned %s",
        settings.workers(),
        all.size());
    return all;
  }

  /**
   * Takes the step. The trainer calls this method.
   *
   * @param used the share of its budget that this worker has used
   * @return the largest share that any worker has used
   */
  public double step(double used) {
    long begin = System.nanoTime();
    double most = used;
    try (NDScope ignored = new NDScope()) {
      NDArray change = agreed.sub(flat()).muli(SCALE).clip(-LARGEST, LARGEST);
      NDArray mean = null;
      for (ByteBuffer each : all(message(used, change.toType(DataType.FLOAT16, false)))) {
        most = Math.max(most, each.duplicate().order(ByteOrder.LITTLE_ENDIAN).getDouble());
        NDArray delta = change(each);
        mean = mean == null ? delta : mean.addi(delta);
      }
      mean.divi(SCALE * settings.workers());
      if (velocity != null) {
        velocity.muli(settings.momentum()).addi(mean);
        mean.addi(velocity.mul(settings.momentum()));
      }
      agreed.subi(mean.muli(settings.rate()));
      spread();
    }
    current = true;
    count++;
    nanos += System.nanoTime() - begin;
    return most;
  }

  /** Packs the used share of the budget and the changes. */
  private ByteBuffer message(double used, NDArray changes) {
    ByteBuffer bytes = changes.toDevice(Device.cpu(), false).toByteBuffer();
    if (message == null) {
      message =
          ByteBuffer.allocateDirect(Double.BYTES + bytes.remaining())
              .order(ByteOrder.LITTLE_ENDIAN);
    }
    return message.clear().putDouble(used).put(bytes).flip();
  }

  /** Unpacks the changes of a worker. */
  private NDArray change(ByteBuffer received) {
    ByteBuffer changes = received.duplicate().position(received.position() + Double.BYTES).slice();
    return manager
        .create(changes.order(ByteOrder.nativeOrder()), agreed.getShape(), DataType.FLOAT16)
        .toType(DataType.FLOAT32, true);
  }

  /** Copies the agreed weights into the model. */
  private void spread() {
    long from = 0;
    for (NDArray weight : weights.masters()) {
      NDArray slice = agreed.get(new NDIndex("{}:{}", from, from + weight.size()));
      copy(slice.reshape(weight.getShape()), weight);
      from += weight.size();
    }
    weights.sync();
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
    if (velocity != null) {
      arrays.put(VELOCITY, velocity);
    }
    if (withAgreed) {
      arrays.put(AGREED, agreed);
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
