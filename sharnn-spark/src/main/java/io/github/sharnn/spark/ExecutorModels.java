package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import com.google.common.base.CharMatcher;
import com.google.common.base.Strings;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * The models of this process. A model is loaded at its first use and shared by all tasks of the
 * executor. If another one is loaded, models that no task uses are closed, except for the most
 * recent ones.
 */
final class ExecutorModels {

  private static final int KEPT = 2;
  private static final String THREADS = "ai.djl.pytorch.num_threads";
  private static final String AUTO = "auto";
  private static final String GPU = "gpu";

  /** The models, the least recently used first. */
  private static final Map<Key, Shared> MODELS = new LinkedHashMap<>(16, 0.75f, true);

  private ExecutorModels() {}

  private record Key(String path, String sum, String device) {}

  private static final class Shared {
    private final Model model;
    private int users;

    Shared(Model model) {
      this.model = model;
    }
  }

  /**
   * The use of a model by one task.
   *
   * @param model the model, which stays open until the use is closed
   */
  record Use(Model model, Runnable end) implements AutoCloseable {

    @Override
    public void close() {
      end.run();
    }
  }

  /** Returns a model, which this method loads unless it is there. */
  static synchronized Use use(ModelSource source, String device) {
    Key key = new Key(source.path(), source.sum(), device(device));
    Shared shared = MODELS.get(key);
    if (shared == null) {
      limitThreads();
      try {
        shared = new Shared(source.load(key.device));
      } catch (IOException | MalformedModelException e) {
        throw new IllegalStateException(e.getMessage(), e);
      }
      MODELS.put(key, shared);
      closeUnused();
    }
    shared.users++;
    Shared used = shared;
    return new Use(shared.model, () -> release(used));
  }

  private static synchronized void release(Shared shared) {
    shared.users--;
  }

  private static void closeUnused() {
    int excess = MODELS.size() - KEPT;
    var all = MODELS.values().iterator();
    while (excess > 0 && all.hasNext()) {
      Shared next = all.next();
      // the last one is the new one, whose task has not counted itself yet
      if (next.users == 0 && all.hasNext()) {
        all.remove();
        next.model.close();
        excess--;
      }
    }
  }

  /** Replaces {@code auto} by the GPU that Spark has assigned to the task, if there is one. */
  static String device(String device) {
    TaskContext task = TaskContext.get();
    ResourceInformation gpus = task == null ? null : task.resourcesJMap().get(GPU);
    return device.equals(AUTO) && gpus != null ? gpu(gpus.addresses()[0]) : device;
  }

  /** Returns the device of an address of Spark. */
  static String gpu(String address) {
    checkArgument(
        CharMatcher.inRange('0', '9').matchesAllOf(address),
        "the addresses of Spark's GPUs must be numbers as in nvidia-smi, but one is %s: for a MIG device"
            + " or the UUID of a GPU, set CUDA_VISIBLE_DEVICES for the executor and device to gpu0",
        address);
    return GPU + address;
  }

  /**
   * Gives PyTorch as many threads as Spark gives cores to a task. PyTorch would otherwise take all
   * cores of the machine for each executor. Does nothing if the user has set the number, or PyTorch
   * has already started.
   */
  static void limitThreads() {
    TaskContext task = TaskContext.get();
    if (task != null
        && System.getProperty(THREADS) == null
        && Strings.isNullOrEmpty(System.getenv("OMP_NUM_THREADS"))) {
      System.setProperty(THREADS, Integer.toString(task.cpus()));
    }
  }
}
