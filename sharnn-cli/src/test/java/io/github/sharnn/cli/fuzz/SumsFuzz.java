package io.github.sharnn.cli.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.SHARNN;
import io.github.sharnn.io.CheckedFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** A saved model with other sums. */
class SumsFuzz {

  @TempDir static Path folder;

  @BeforeAll
  static void saveModel() throws Exception {
    Inputs.saveModel(folder);
  }

  @FuzzTest(maxDuration = "60s")
  void sums(byte[] content) throws Exception {
    Files.write(folder.resolve(CheckedFolder.SUMS), content);
    Inputs.read(() -> SHARNN.load(folder).close());
  }
}
