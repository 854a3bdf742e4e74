package io.github.sharnn.cli.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.SHARNNConfig;
import java.nio.charset.StandardCharsets;

class ConfigFuzz {

  @FuzzTest(maxDuration = "60s")
  void config(byte[] content) throws Exception {
    Inputs.read(() -> SHARNNConfig.fromJson(new String(content, StandardCharsets.UTF_8)));
  }
}
