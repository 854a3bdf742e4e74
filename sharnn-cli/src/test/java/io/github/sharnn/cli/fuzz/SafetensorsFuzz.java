package io.github.sharnn.cli.fuzz;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.io.Safetensors;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsFuzz {

  @TempDir static Path folder;

  @FuzzTest(maxDuration = "60s")
  void safetensors(byte[] content) throws Exception {
    Path file = Files.write(folder.resolve("any.safetensors"), content);
    Inputs.read(
        () -> {
          try (NDManager manager = NDManager.newBaseManager();
              Safetensors tensors = Safetensors.open(file)) {
            tensors.readAll(manager).values().forEach(NDArray::toDebugString);
          }
        });
  }
}
