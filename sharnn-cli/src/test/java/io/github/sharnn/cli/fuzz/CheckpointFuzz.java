package io.github.sharnn.cli.fuzz;

import ai.djl.Model;
import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint with another {@code training.json}. Its sum is right. */
class CheckpointFuzz {

  @TempDir static Path folder;

  private static Path checkpoint;
  private static Map<String, byte[]> good;

  @BeforeAll
  static void train() throws Exception {
    Path text = Files.writeString(folder.resolve("text"), "ab".repeat(200));
    int[] steps = {0};
    try (Model model = Inputs.tiny().build().newModel("good")) {
      checkpoint =
          SHARNNTrainer.builder(model)
              .batchSize(2)
              .sequenceLength(6)
              .checkpoints(CheckpointPolicy.in(folder.resolve("run")).every(Duration.ZERO))
              .stopWhen(() -> ++steps[0] == 3)
              .build()
              .fit(Corpus.withSizes(text, 300, 50, 50), Budget.steps(8))
              .checkpoint();
    }
    good = Inputs.files(checkpoint);
  }

  @FuzzTest(maxDuration = "60s")
  void record(byte[] content) throws Exception {
    Map<String, byte[]> files = new TreeMap<>(good);
    files.put("training.json", content);
    Inputs.write(checkpoint, files);
    Inputs.read(
        () -> {
          Checkpoint read = Checkpoint.open(checkpoint);
          try (Model model = SHARNN.of(read.config()).newModel("best")) {
            read.readBest(model);
          }
        });
  }
}
