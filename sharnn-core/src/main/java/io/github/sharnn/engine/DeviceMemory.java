package io.github.sharnn.engine;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.util.cuda.CudaUtils;
import com.google.common.base.Splitter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The memory that training takes.
 *
 * @param bytes how much
 * @param source what was read, and so what else is in the figure
 */
public record DeviceMemory(long bytes, String source) {

  private static final Path STATUS = Path.of("/proc/self/status");
  private static final int SECONDS_FOR_A_NUMBER = 10;

  /** Gives unused GPU memory back, so that the next {@link #peak} is not that of earlier work. */
  public static void release(Device device) {
    if (device.isGpu()) {
      JniUtils.emptyCudaCache();
    }
  }

  /**
   * Reads what was held at most. PyTorch keeps the GPU memory it has once had, so there it is what
   * is held now.
   *
   * @return empty where the machine does not tell
   */
  public static Optional<DeviceMemory> peak(Device device) throws IOException {
    return device.isGpu() ? gpu(device.getDeviceId()) : resident();
  }

  private static Optional<DeviceMemory> gpu(int id) {
    try {
      long bytes = CudaUtils.getGpuMemory(Device.gpu(id)).getUsed();
      return Optional.of(new DeviceMemory(bytes, "in use on the GPU by all processes (CUDA)"));
    } catch (IllegalStateException | EngineException e) { // DJL found no CUDA runtime, or another
      return nvidiaSmi(id);
    }
  }

  private static Optional<DeviceMemory> nvidiaSmi(int id) {
    String visible = System.getenv("CUDA_VISIBLE_DEVICES");
    String gpu =
        visible == null || visible.isBlank()
            ? String.valueOf(id)
            : Splitter.on(',').trimResults().splitToList(visible).get(id);
    List<String> command =
        List.of(
            "nvidia-smi", "-i", gpu, "--query-gpu=memory.used", "--format=csv,noheader,nounits");
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      if (!process.waitFor(SECONDS_FOR_A_NUMBER, TimeUnit.SECONDS)) { // a driver that hangs
        process.destroyForcibly();
        return Optional.empty();
      }
      String mebibytes =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).trim();
      return mebibytes.matches("\\d+")
          ? Optional.of(
              new DeviceMemory(
                  Long.parseLong(mebibytes) << 20,
                  "in use on the GPU by all processes (nvidia-smi)"))
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty(); // no nvidia-smi here
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  private static Optional<DeviceMemory> resident() throws IOException {
    if (!Files.isReadable(STATUS)) {
      return Optional.empty(); // not Linux
    }
    return Files.readAllLines(STATUS).stream()
        .filter(line -> line.startsWith("VmHWM:"))
        .map(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10) // in kB
        .map(bytes -> new DeviceMemory(bytes, "peak resident size of this process so far"))
        .findFirst();
  }
}
