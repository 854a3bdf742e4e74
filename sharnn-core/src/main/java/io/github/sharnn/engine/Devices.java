package io.github.sharnn.engine;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.engine.StandardCapabilities;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtEngineProvider;
import ai.djl.util.Platform;
import ai.djl.util.Utils;
import com.google.common.base.Strings;
import com.google.common.base.Throwables;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The names of devices, and checks that a device exists. */
public final class Devices {

  private static final Pattern NAME = Pattern.compile("auto|cpu|gpu(\\d{0,4})");
  private static final int SECONDS_FOR_NVIDIA_SMI = 10;
  private static final String ENGINE = "PyTorch";

  private Devices() {}

  /**
   * Returns the device with a name.
   *
   * @param name {@code auto} (a GPU if DJL finds one, else the CPU), {@code cpu}, {@code gpu} (the
   *     first one), {@code gpu0}, {@code gpu1} and so on
   * @return the device
   * @throws IllegalArgumentException if there is no such name or GPU
   * @throws EngineException if PyTorch can't be loaded, unless the name is {@code cpu}
   */
  public static Device of(String name) {
    checkArgument(name != null, "device must not be null: use auto for DJL's default");
    Matcher matcher = NAME.matcher(name);
    checkArgument(
        matcher.matches(), "device must be auto, cpu, gpu, gpu0, gpu1 and so on, but is %s", name);
    return switch (name) {
      case "auto" -> require(null);
      case "cpu" -> Device.cpu();
      case "gpu" -> require(Device.gpu());
      default -> require(Device.gpu(Integer.parseInt(matcher.group(1))));
    };
  }

  /**
   * Checks that PyTorch can compute on a device.
   *
   * @param device the device, or null for DJL's default
   * @return the device
   * @throws IllegalArgumentException if it is a missing GPU; the message says what DJL found and
   *     how to get a GPU
   * @throws EngineException if PyTorch can't be loaded; the message says why, and the remedy
   */
  public static Device require(@Nullable Device device) {
    Engine engine = engine();
    if (device == null) {
      return engine.defaultDevice();
    }
    if (!device.isGpu()) {
      return device;
    }
    // DJL parses "gpu" into a device with the number -1
    Device gpu = device.getDeviceId() < 0 ? Device.gpu() : device;
    // asks PyTorch, since DJL counts no GPUs if it does not find the CUDA runtime
    try (NDManager manager = engine.newBaseManager(gpu)) {
      manager.zeros(new Shape(1));
      return gpu;
    } catch (RuntimeException e) {
      throw new IllegalArgumentException(Found.by(engine).explain(gpu, e), e);
    }
  }

  /**
   * Loads DJL's PyTorch, unless it is loaded. The calling thread's context class loader may be any.
   *
   * @return the engine
   * @throws EngineException if PyTorch can't be loaded; the message says why, and the remedy
   */
  public static Engine engine() {
    try {
      return ContextLoader.call(Devices::load);
    } catch (NoClassDefFoundError e) {
      throw new EngineException(
          "DJL finds no engine PyTorch: put ai.djl.pytorch:pytorch-engine on the class path", e);
    } catch (EngineException e) { // the reason is often in the cause
      String reasons =
          Throwables.getCausalChain(e).stream()
              .map(Throwable::toString)
              .collect(Collectors.joining(", caused by "));
      throw new EngineException(
          lenientFormat(
              "PyTorch can't be loaded (%s): %s",
              reasons, remedy(Throwables.getCausalChain(e).stream())),
          e);
    }
  }

  private static String remedy(Stream<Throwable> causes) {
    return causes.anyMatch(FileSystemException.class::isInstance)
        ? "DJL unpacks it into its cache folder, so set DJL_CACHE_DIR to a folder that you may write to"
        : "put pytorch-native-cpu for this system and pytorch-jni on the class path, or let DJL download"
            + " them, online and without DJL_OFFLINE (README.md, As a dependency)";
  }

  private static Engine load() {
    CudaAllocator.growBlocks();
    if (!Engine.hasEngine(ENGINE)) { // DJL has already looked, through another class loader
      Engine.registerEngine(new PtEngineProvider());
    }
    return Engine.getEngine(ENGINE);
  }

  /**
   * Describes a device, with the model of a GPU if all GPUs are of one model.
   *
   * @param device the device
   * @return {@code cpu}, {@code gpu0} or {@code gpu0 (NVIDIA H100 80GB HBM3)}
   */
  public static String describe(Device device) {
    String name = name(device);
    return device.isGpu()
        ? onlyLine("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
            .map(model -> name + " (" + model + ")")
            .orElse(name)
        : name;
  }

  private static String name(Device device) {
    return device.isGpu() ? "gpu" + Math.max(device.getDeviceId(), 0) : device.getDeviceType();
  }

  /**
   * Returns the line that a program prints, or empty if its lines differ. nvidia-smi prints one
   * line per GPU, and its order is not CUDA's. Also returns empty if the program is missing, fails
   * or hangs, because every caller can do without the line.
   */
  static Optional<String> onlyLine(String... command) {
    try {
      Process process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      if (!process.waitFor(SECONDS_FOR_NVIDIA_SMI, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        return Optional.empty();
      }
      byte[] out = process.getInputStream().readAllBytes();
      List<String> lines =
          new String(out, StandardCharsets.UTF_8)
              .lines()
              .map(String::strip)
              .filter(line -> !line.isEmpty())
              .distinct()
              .toList();
      return process.exitValue() == 0 && lines.size() == 1
          ? Optional.of(lines.get(0))
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  /** The source of PyTorch's libraries. */
  enum Source {
    PYTORCH_LIBRARY_PATH,
    JAR,
    DOWNLOAD
  }

  /** The facts that explain a missing GPU. DJL counts {@code gpus}. */
  record Found(
      String version,
      String library,
      Source source,
      boolean cudaBuild,
      boolean cudaWorks,
      int gpus) {

    private static final String LIBRARY = "PyTorch Library: ";

    static Found by(Engine engine) {
      // the only public way to learn the folder
      String text = engine.toString();
      int at = text.indexOf(LIBRARY);
      String library = at < 0 ? "" : text.substring(at + LIBRARY.length()).strip();
      Source source =
          !Strings.isNullOrEmpty(Utils.getEnvOrSystemProperty("PYTORCH_LIBRARY_PATH"))
              ? Source.PYTORCH_LIBRARY_PATH
              : ContextLoader.call(() -> Platform.detectPlatform("pytorch")).isPlaceholder()
                  ? Source.DOWNLOAD
                  : Source.JAR;
      return new Found(
          engine.getVersion(),
          library,
          source,
          Files.exists(Path.of(library, System.mapLibraryName("torch_cuda"))),
          engine.hasCapability(StandardCapabilities.CUDA),
          engine.getGpuCount());
    }

    String explain(Device asked, RuntimeException refusal) {
      return lenientFormat(
          "%s was asked for, but is not there: DJL loaded PyTorch %s, %s build, from %s and counts"
              + " %s GPUs. %s (docs/gpu.md)",
          name(asked), version, cudaBuild ? "a CUDA" : "the CPU", library, gpus, wayOut(refusal));
    }

    private String wayOut(RuntimeException refusal) {
      if (cudaWorks) {
        String reason = String.valueOf(refusal.getMessage()).lines().findFirst().orElse("");
        return "PyTorch says: " + reason + ". Ask for a GPU that nvidia-smi lists, counted from 0";
      }
      if (cudaBuild) {
        return "PyTorch can't use one: nvidia-smi must list it, its driver must be one for CUDA 12.8 or"
            + " later, and CUDA_VISIBLE_DEVICES must not hide it";
      }
      return switch (source) {
        case PYTORCH_LIBRARY_PATH ->
            "PYTORCH_LIBRARY_PATH names that folder: set it to a folder with PyTorch "
                + version
                + " for CUDA";
        case JAR ->
            "The jar pytorch-native-cpu on the class path forces the CPU build: remove it (for sharnn.jar,"
                + " build with -Pgpu), and DJL downloads the CUDA build";
        case DOWNLOAD ->
            "DJL takes the CUDA build only where it finds libcudart of CUDA 12.8 or later and a GPU:"
                + " put libcudart on the loader's path, or set PYTORCH_FLAVOR=cu128";
      };
    }
  }
}
