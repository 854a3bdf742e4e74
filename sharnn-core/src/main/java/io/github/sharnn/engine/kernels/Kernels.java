package io.github.sharnn.engine.kernels;

import static com.google.common.base.Preconditions.checkNotNull;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.pytorch.jni.JniUtils;
import com.google.common.base.Throwables;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.engine.TorchScript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernels of one GPU, compiled when first used. They need Linux or Windows, an NVIDIA GPU of
 * compute capability 8.0 or later, and NVRTC, which comes with PyTorch.
 */
public final class Kernels {

  /** The choice between kernels of this library's own and PyTorch's. */
  public enum Use {
    /** Uses them where they can run and are faster, otherwise PyTorch's. */
    AUTO,
    /** Uses PyTorch's only. */
    OFF,
    /**
     * Uses them for every segment and token, or fails with the reason why they can't run. FLOAT32
     * segments without gradients, such as the prompt of a FLOAT32 decoder, have no kernels.
     */
    REQUIRED;

    /** Returns the name on the command line, such as {@code auto}. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private static final Logger LOGGER = LoggerFactory.getLogger(Kernels.class);
  private static final int FIRST_MAJOR = 8;
  private static final int UNIT = 128;
  private static final int LARGEST = 1024;
  private static final int FEWEST_TOKENS = 12288; // 16 x 1024 gains, 32 x 256 loses
  private static final int PROBED_BATCH = 128; // of the recipe fast
  static final Map<Integer, Found> BY_GPU = new ConcurrentHashMap<>();

  /** The kernels of a GPU, or why it has none. */
  record Found(@Nullable Kernels kernels, String reason) {

    /** Returns none instead, if there is a reason against the kernels that were found. */
    Found unless(Function<Kernels, String> reasonAgainst) {
      String against = kernels == null ? "" : reasonAgainst.apply(kernels);
      return against.isEmpty() ? this : new Found(null, against);
    }
  }

  /** Compiles a source and loads one of its functions. */
  interface Loader {
    Kernel load(String source, List<String> options, String function, int threads, int sharedBytes);
  }

  private final @Nullable CudaDriver driver; // null in tests
  private final Loader loader;
  private final int multiprocessors;
  private final int sharedMemory; // bytes of a block
  private final Map<Object, Kernel> compiled = new ConcurrentHashMap<>();
  private final Map<Object, String> failures = new ConcurrentHashMap<>(); // "" for none

  Kernels(@Nullable CudaDriver driver, Loader loader, int multiprocessors, int sharedMemory) {
    this.driver = driver;
    this.loader = loader;
    this.multiprocessors = multiprocessors;
    this.sharedMemory = sharedMemory;
  }

  /**
   * {@return the kernels for a block's forward, or null if PyTorch's shall run} In training,
   * kernels need open {@link GradientCuts}: without them nobody calls their backward.
   *
   * @param use the model's choice
   * @param input the block's input {@code (T, B, C)}: kernels need FLOAT16 and a C that is a
   *     multiple of 128 up to 1,024; {@code AUTO} leaves short segments of few streams to PyTorch,
   *     because there launches take longer than the computation
   * @param training whether gradients flow into the weights
   * @throws IllegalStateException if they are required but can't run
   */
  public static @Nullable Kernels forBlock(Use use, NDArray input, boolean training) {
    boolean callable = training ? GradientCuts.current() != null : !JniUtils.isGradMode();
    long tokens = input.size(0) * input.size(1);
    Device device = input.getDevice();
    DataType type = input.getDataType();
    if (use == Use.OFF
        || !callable
        || !computes(device, type, training)
        || use == Use.AUTO && tokens < FEWEST_TOKENS) {
      return null;
    }
    int size = Math.toIntExact(input.size(2));
    return resolve(use, find(device, type, size, Math.toIntExact(input.size(1))));
  }

  /** Returns false for a prompt of a GPU's FLOAT32 decoder, whose tokens alone have a kernel. */
  static boolean computes(Device device, DataType type, boolean training) {
    return training || !device.isGpu() || type == DataType.FLOAT16;
  }

  /**
   * {@return the kernels for a decoder's {@link TokenKernel}, or null if PyTorch's shall run}
   *
   * @param use the model's choice
   * @param device the device
   * @param dimensions the model's sizes
   * @param unsupported why the kernel can't compute the model, or ""
   * @throws IllegalStateException if they are required but can't run
   */
  public static @Nullable Kernels forDecoder(
      Use use, Device device, TokenKernel.Dimensions dimensions, String unsupported) {
    return use == Use.OFF ? null : resolve(use, find(device, dimensions, unsupported));
  }

  /**
   * {@return why a decoder runs PyTorch's kernels although a model's own are not off; empty if it
   * runs its own}
   *
   * @param device the device
   * @param dimensions the model's sizes
   * @param unsupported why the kernel can't compute the model, or ""
   */
  public static String reasonAgainst(
      Device device, TokenKernel.Dimensions dimensions, String unsupported) {
    return find(device, dimensions, unsupported).reason;
  }

  private static Found find(Device device, TokenKernel.Dimensions dimensions, String unsupported) {
    Found found = find(device, unsupported);
    return found.unless(
        kernels -> kernels.failure(dimensions, () -> TokenKernel.compile(kernels, dimensions)));
  }

  private static Found find(Device device, String unsupported) {
    if (!device.isGpu()) {
      return new Found(null, "the device is " + Devices.describe(device));
    }
    return unsupported.isEmpty()
        ? BY_GPU.computeIfAbsent(device.getDeviceId(), Kernels::find)
        : new Found(null, unsupported);
  }

  /**
   * Checks, before anything is compiled, that kernels can compute a model's training steps if they
   * are required.
   *
   * @param use the model's choice
   * @param device the device
   * @param dataType the type of the activations
   * @param size the model's width C
   * @throws IllegalStateException if they are required but can't run
   */
  public static void check(Use use, Device device, DataType dataType, int size) {
    if (use == Use.REQUIRED) {
      resolve(use, find(device, reasonAgainst(dataType, size)));
    }
  }

  private static @Nullable Kernels resolve(Use use, Found found) {
    checkState(
        found.kernels != null || use != Use.REQUIRED,
        "this library's kernels can't run, because %s: kernels must be auto or off, but is required",
        found.reason);
    return found.kernels;
  }

  /**
   * {@return why a model uses PyTorch's kernels although its own are not off; empty if it uses its
   * own}
   *
   * @param device the device
   * @param dataType the type of the activations
   * @param size the model's width C
   */
  public static String reasonAgainst(Device device, DataType dataType, int size) {
    return find(device, dataType, size, PROBED_BATCH).reason;
  }

  private static Found find(Device device, DataType dataType, int size, int batch) {
    return find(device, reasonAgainst(dataType, size))
        .unless(kernels -> reasonAgainst(kernels.multiprocessors, size))
        .unless(kernels -> kernels.failure(size, batch));
  }

  private static String reasonAgainst(DataType dataType, int size) {
    return dataType == DataType.FLOAT16
        ? reasonAgainst(size)
        : "the precision is " + dataType.name() + ", not FLOAT16";
  }

  /**
   * {@return why kernels can't compute with an embedding size, or ""}
   *
   * @param size the embedding size C
   */
  public static String reasonAgainst(int size) {
    return size % UNIT == 0 && size <= LARGEST
        ? ""
        : "the embedding size is " + size + ", no multiple of 128 up to 1024";
  }

  /** Returns why the LSTM's blocks can't all be resident, one on each multiprocessor, or "". */
  static String reasonAgainst(int multiprocessors, int size) {
    int needed = size / LstmKernel.FEWEST_UNITS;
    return multiprocessors >= needed
        ? ""
        : String.format(
            Locale.ROOT,
            "embedding size %s needs a GPU with %s multiprocessors, but this one has %s",
            size,
            needed,
            multiprocessors);
  }

  private static Found find(int ordinal) {
    try {
      CudaDriver driver = new CudaDriver(ordinal);
      int major = driver.attribute(CudaDriver.MAJOR);
      if (major < FIRST_MAJOR || driver.attribute(CudaDriver.COOPERATIVE_LAUNCH) == 0) {
        return new Found(null, "the GPU's compute capability is below 8.0");
      }
      DeviceAddress.check();
      String target = "--gpu-architecture=sm_" + major + driver.attribute(CudaDriver.MINOR);
      Nvrtc compiler = new Nvrtc();
      Loader loader =
          (source, options, function, threads, sharedBytes) -> {
            List<String> all = new ArrayList<>(List.of(target, "-std=c++17"));
            all.addAll(options);
            byte[] code = compiler.compile(source, driver.version(), all);
            return new Kernel(
                driver, driver.load(code, function, threads, sharedBytes), threads, sharedBytes);
          };
      return new Found(
          new Kernels(
              driver,
              loader,
              driver.attribute(CudaDriver.MULTIPROCESSORS),
              driver.attribute(CudaDriver.SHARED_MEMORY)),
          "");
    } catch (CudaException | LinkageError e) {
      LOGGER.debug("No kernels on GPU {}", ordinal, e);
      return new Found(null, Throwables.getRootCause(e).toString());
    }
  }

  /**
   * Returns why a source does not compile, or a block of it does not fit this GPU, for the segments
   * of a batch; "" if all run. Tries once: later calls know the result.
   */
  String failure(int size, int batch) {
    List<Integer> key = List.of(size, batch);
    boolean first = !failures.containsKey(key);
    LstmKernel lstm = new LstmKernel(this, size);
    String failure =
        failure(
            key,
            () -> lstm.kernel(LstmKernel.Direction.FORWARD, batch),
            () -> lstm.kernel(LstmKernel.Direction.BACKWARD, batch),
            () -> NormKernel.compile(this, size, 1),
            () -> NormKernel.compile(this, size, 2),
            () -> BoomKernel.compile(this, size),
            () -> EmbeddingKernel.kernel(this, size));
    boolean inHeader = failure.equals(failures.get(List.of(size, PROBED_BATCH)));
    if (first && !failure.isEmpty() && !inHeader) {
      LOGGER.warn("Batches of {} run PyTorch's kernels, because {}", batch, failure);
    }
    return failure;
  }

  private String failure(Object key, Runnable... sources) {
    return failures.computeIfAbsent(
        key,
        unused ->
            Arrays.stream(sources)
                .parallel()
                .map(Kernels::failure)
                .filter(reason -> !reason.isEmpty())
                .findFirst()
                .orElse(""));
  }

  private static String failure(Runnable source) {
    try {
      source.run();
      return "";
    } catch (CudaException e) {
      LOGGER.debug("A kernel can't run", e);
      return e.getMessage().lines().findFirst().orElseThrow();
    }
  }

  CudaDriver driver() {
    return checkNotNull(driver);
  }

  int multiprocessors() {
    return multiprocessors;
  }

  int sharedMemory() {
    return sharedMemory;
  }

  /** Returns a function of a source beside this class, compiled with values for its macros. */
  Kernel kernel(
      String resource,
      String function,
      Map<String, Object> constants,
      int threads,
      int sharedBytes) {
    return compiled.computeIfAbsent(
        List.of(resource, function, constants),
        key -> {
          String source =
              TorchScript.source(Kernels.class, "common.cu")
                  + TorchScript.source(Kernels.class, resource);
          List<String> defines =
              new TreeMap<>(constants)
                  .entrySet().stream().map(e -> "-D" + e.getKey() + "=" + e.getValue()).toList();
          try {
            return loader.load(source, defines, function, threads, sharedBytes);
          } catch (CudaException e) {
            throw new CudaException(resource + " can't run: " + e.getMessage(), e);
          }
        });
  }
}
