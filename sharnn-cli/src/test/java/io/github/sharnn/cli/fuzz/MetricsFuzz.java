package io.github.sharnn.cli.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.cli.report.RunMetrics;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class MetricsFuzz {

  @TempDir static Path folder;

  @FuzzTest(maxDuration = "60s")
  void metrics(byte[] content) throws Exception {
    Files.write(folder.resolve(RunMetrics.FILE), content);
    Inputs.read(() -> RunMetrics.read(folder));
  }
}
