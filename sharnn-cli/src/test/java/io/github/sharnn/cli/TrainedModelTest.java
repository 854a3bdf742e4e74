package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;

/**
 * A fixture that tests of commands share: a corpus and a small model, trained once for all of them.
 */
public abstract class TrainedModelTest {

  public static Path corpus;
  public static Path model;

  public static Outcome train(Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of("train", "--corpus", corpus, "--embedding-size", 16, "--boom-size", 32));
    args.addAll(List.of("--memory-length", 32, "--batch-size", 4, "--sequence-length", 16));
    args.addAll(List.of(more));
    return run(args.toArray());
  }

  @BeforeAll
  public static void train_a_model_to_use() throws IOException {
    if (model != null) {
      return; // the class before this one did
    }
    Path shared = Path.of("target", "trained-model"); // until the next run
    if (Files.exists(shared)) {
      MoreFiles.deleteRecursively(shared, RecursiveDeleteOption.ALLOW_INSECURE);
    }
    Files.createDirectories(shared);
    corpus = Files.writeString(shared.resolve("corpus.txt"), "abcd efgh ijkl mnop. ".repeat(200));
    Path saved = shared.resolve("model");
    Outcome outcome = train("--output", saved, "--steps", 60);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).contains("step 60", "valid", "bytes/s", "test", "saved in " + saved);
    assertThat(outcome.out())
        .containsSubsequence(
            "device cpu, precision FLOAT32\n", " trained, ", " collapsed\nsharnn ", "step 1 ");
    model = saved;
  }
}
