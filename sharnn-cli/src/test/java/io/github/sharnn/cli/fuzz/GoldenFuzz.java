package io.github.sharnn.cli.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.bench.GoldenCheck;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** A golden folder without a model: its file of expected samples. */
class GoldenFuzz {

  @TempDir static Path folder;

  @FuzzTest(maxDuration = "60s")
  void expected(byte[] content) throws Exception {
    Files.write(folder.resolve("expected.safetensors"), content);
    Inputs.read(() -> GoldenCheck.run(folder, null));
  }
}
