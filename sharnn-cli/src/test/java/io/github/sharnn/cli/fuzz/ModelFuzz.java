package io.github.sharnn.cli.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.SHARNN;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** A saved model of which one file has other content. Its sum is right. */
class ModelFuzz {

  @TempDir static Path folder;

  private static Map<String, byte[]> good;

  @BeforeAll
  static void saveModel() throws Exception {
    good = Inputs.saveModel(folder);
  }

  /** The first byte names the file. */
  @FuzzTest(maxDuration = "60s")
  void folder(byte[] content) throws Exception {
    if (content.length == 0) {
      return;
    }
    Map<String, byte[]> files = new TreeMap<>(good);
    files.put(
        content[0] == 'c' ? "config.json" : "model.safetensors",
        Arrays.copyOfRange(content, 1, content.length));
    Inputs.write(folder, files);
    Inputs.read(() -> SHARNN.load(folder).close());
  }
}
