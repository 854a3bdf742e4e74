package io.github.sharnn.engine.kernels;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.pytorch.jni.JniUtils;
import com.google.common.base.Throwables;
import io.github.sharnn.engine.TorchScript;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
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
  private static final Map<Integer, Found> BY_GPU = new ConcurrentHashMap<>();

  /** The kernels of a GPU, or why it has none. */
  private record Found(@Nullable Kernels kernels, String reason) {}

  private final CudaDriver driver;
  private final Nvrtc compiler;
  private final String architecture;
  private final int multiprocessors;
  private final int sharedMemory; // bytes of a block
  private final Map<String, Kernel> compiled = new ConcurrentHashMap<>();

  private Kernels(CudaDriver driver, Nvrtc compiler) {
    this.driver = driver;
    this.compiler = compiler;
    architecture =
        "--gpu-architecture=sm_"
            + driver.attribute(CudaDriver.MAJOR)
            + driver.attribute(CudaDriver.MINOR);
    multiprocessors = driver.attribute(CudaDriver.MULTIPROCESSORS);
    sharedMemory = driver.attribute(CudaDriver.SHARED_MEMORY);
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
    return resolve(use, find(device, type, Math.toIntExact(input.size(2))));
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
   * @param unsupported why the kernel can't compute the model, or ""
   * @throws IllegalStateException if they are required but can't run
   */
  public static @Nullable Kernels forDecoder(Use use, Device device, String unsupported) {
    if (use == Use.OFF) {
      return null;
    }
    return resolve(use, find(device, unsupported));
  }

  /**
   * {@return why a decoder runs PyTorch's kernels although a model's own are not off; empty if it
   * runs its own}
   *
   * @param device the device
   * @param unsupported why the kernel can't compute the model, or ""
   */
  public static String reasonAgainst(Device device, String unsupported) {
    return find(device, unsupported).reason;
  }

  private static Found find(Device device, String unsupported) {
    if (!device.isGpu()) {
      return new Found(null, "the device is " + device);
    }
    return unsupported.isEmpty()
        ? BY_GPU.computeIfAbsent(device.getDeviceId(), Kernels::find)
        : new Found(null, unsupported);
  }

  private static @Nullable Kernels resolve(Use use, Found found) {
    checkState(
        found.kernels != null || use != Use.REQUIRED,
        "kernels are required, but can't run, because %s: use auto or off",
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
    return find(device, dataType, size).reason;
  }

  private static Found find(Device device, DataType dataType, int size) {
    String precision =
        dataType == DataType.FLOAT16 ? "" : "the precision is " + dataType.name() + ", not FLOAT16";
    Found found = find(device, precision.isEmpty() ? reasonAgainst(size) : precision);
    String small = found.kernels == null ? "" : reasonAgainst(found.kernels.multiprocessors, size);
    return small.isEmpty() ? found : new Found(null, small);
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
      Kernels kernels = new Kernels(driver, new Nvrtc());
      DeviceAddress.check();
      // fails here, and not in a training step, if NVRTC or the driver does not know this GPU
      kernels.kernel("boom.cu", "boom_forward", Map.of("C", UNIT, "H", UNIT), UNIT, 0);
      return new Found(kernels, "");
    } catch (CudaException | LinkageError e) {
      LOGGER.debug("No kernels on GPU {}", ordinal, e);
      return new Found(null, Throwables.getRootCause(e).toString());
    }
  }

  CudaDriver driver() {
    return driver;
  }

  int multiprocessors() {
    return multiprocessors;
  }

  int sharedMemory() {
    return sharedMemory;
  }

  /**
   * {@return a function, compiled with constants}
   *
   * @param resource the source beside this class
   * @param function its name
   * @param constants the values of the source's macros
   * @param threads threads of a block
   * @param sharedBytes dynamic shared memory of a block
   */
  Kernel kernel(
      String resource,
      String function,
      Map<String, Object> constants,
      int threads,
      int sharedBytes) {
    String defines =
        new TreeMap<>(constants)
            .entrySet().stream()
                .map(e -> "-D" + e.getKey() + "=" + e.getValue())
                .collect(Collectors.joining(" "));
    return compiled.computeIfAbsent(
        resource + " " + function + " " + defines,
        key -> {
          List<String> options = new ArrayList<>(List.of(architecture, "-std=c++17"));
          options.addAll(List.of(defines.split(" ")));
          byte[] code =
              compiler.compile(
                  TorchScript.source(Kernels.class, "common.cu")
                      + TorchScript.source(Kernels.class, resource),
                  driver.version(),
                  options);
          return new Kernel(driver, driver.load(code, function, sharedBytes), threads, sharedBytes);
        });
  }
}
