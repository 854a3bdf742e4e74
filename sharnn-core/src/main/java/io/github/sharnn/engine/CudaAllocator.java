package io.github.sharnn.engine;

import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** PyTorch's allocator of GPU memory, which reads the environment when it first allocates. */
final class CudaAllocator {

  static final String OPTIONS = "PYTORCH_CUDA_ALLOC_CONF";

  private static final List<String> NAMES = List.of(OPTIONS, "PYTORCH_ALLOC_CONF");
  private static final Path DRIVER = Path.of("/dev/nvidiactl");

  private CudaAllocator() {}

  /**
   * Lets the allocator's blocks grow, unless the user has set options. Segments of varying length
   * would otherwise leave holes between them: 23 instead of 15 GiB at batch 64 of the paper's
   * shape. Call it before PyTorch is loaded.
   */
  static void growBlocks() {
    if (Platform.isLinux() && Files.exists(DRIVER)) {
      growBlocks(System.getenv());
    }
  }

  /** Sets the option in the process's environment, which Java has no method for. */
  static void growBlocks(Map<String, String> environment) {
    if (NAMES.stream().noneMatch(environment::containsKey)) {
      NativeLibrary.getInstance("c")
          .getFunction("setenv")
          .invokeInt(new Object[] {OPTIONS, "expandable_segments:True", 0});
    }
  }
}
