package io.github.sharnn.engine;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.util.cuda.CudaUtils;
import com.google.common.base.Splitter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The memory in use on a device.
 *
 * @param bytes the amount
 * @param source the measured quantity, which may include other processes
 */
public record DeviceMemory(long bytes, String source) {

  private static final Path STATUS = Path.of("/proc/self/status");

  /**
   * Frees PyTorch's unused GPU memory, so that the next {@link #peak} excludes earlier work. Does
   * nothing on a CPU.
   *
   * @param device the device
   */
  public static void release(Device device) {
    if (device.isGpu()) {
      JniUtils.emptyCudaCache();
    }
  }

  /**
   * Reads the peak. On a GPU, this is the present use, since PyTorch does not give memory back.
   *
   * @param device the device
   * @return the peak, or empty if it can't be read on this machine
   * @throws IOException if Linux's record of this process can't be read
   */
  public static Optional<DeviceMemory> peak(Device device) throws IOException {
    return device.isGpu() ? gpu(device.getDeviceId()) : resident();
  }

  private static Optional<DeviceMemory> gpu(int id) {
    try {
      long bytes = CudaUtils.getGpuMemory(Device.gpu(id)).getUsed();
      return Optional.of(new DeviceMemory(bytes, "in use on the GPU by all processes (CUDA)"));
    } catch (IllegalStateException | EngineException e) { // DJL finds no CUDA runtime that fits
      return nvidiaSmi(id);
    }
  }

  private static Optional<DeviceMemory> nvidiaSmi(int id) {
    String visible = System.getenv("CUDA_VISIBLE_DEVICES");
    String gpu =
        visible == null || visible.isBlank()
            ? String.valueOf(id)
            : Splitter.on(',').trimResults().splitToList(visible).get(id);
    return Devices.onlyLine(
            "nvidia-smi", "-i", gpu, "--query-gpu=memory.used", "--format=csv,noheader,nounits")
        .filter(mebibytes -> mebibytes.matches("\\d+"))
        .map(mebibytes -> Long.parseLong(mebibytes) << 20)
        .map(bytes -> new DeviceMemory(bytes, "in use on the GPU by all processes (nvidia-smi)"));
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
