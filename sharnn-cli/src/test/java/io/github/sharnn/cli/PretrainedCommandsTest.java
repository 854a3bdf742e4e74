package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.pretrained.PretrainedModel;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands that are given the name of a pretrained model instead of a folder. */
class PretrainedCommandsTest extends TrainedModelTest {

  /** The trained model under a name. */
  public static final class Bundled implements PretrainedModel {

    @Override
    public String name() {
      return "bundled-bytes";
    }

    @Override
    public InputStream open(String file) throws IOException {
      return Files.newInputStream(model.resolve(file));
    }
  }

  /** A model without files, whose name is also that of the trained model's folder. */
  public static final class NamedAsAFolder implements PretrainedModel {

    @Override
    public String name() {
      return Path.of("target", "trained-model", "model").toString();
    }

    @Override
    public InputStream open(String file) {
      return null;
    }
  }

  @Test
  void commands_take_the_name_of_a_model(@TempDir Path folder) {
    assertSame("generate", "--prompt", "abcd", "--length", "20", "--seed", "3");
    assertSame("score", corpus.toString());
    assertSame("evaluate", "--corpus", corpus.toString());
    Path onnx = folder.resolve("model.onnx");
    assertThat(run("export", "bundled-bytes", "--output", onnx).err()).isEmpty();
    assertThat(onnx).isNotEmptyFile();
    Path compressed = folder.resolve("compressed");
    Path restored = folder.resolve("restored");
    assertThat(run("compress", "bundled-bytes", corpus, "--output", compressed).err()).isEmpty();
    assertThat(run("decompress", model, compressed, "--output", restored).err()).isEmpty();
    assertThat(restored).hasSameBinaryContentAs(corpus);
    Path tuned = folder.resolve("tuned");
    assertThat(train("--from", "bundled-bytes", "--output", tuned, "--steps", 1).err()).isEmpty();
    assertThat(tuned.resolve("model.safetensors")).isNotEmptyFile();
  }

  private static void assertSame(String command, String... more) {
    Outcome byName = outcome(command, "bundled-bytes", more);
    Outcome byFolder = outcome(command, model.toString(), more);
    assertThat(byName.out()).isNotEmpty().isEqualTo(byFolder.out());
    assertThat(byName.code()).isZero();
  }

  private static Outcome outcome(String command, String model, String... more) {
    Object[] args = new Object[2 + more.length];
    args[0] = command;
    args[1] = model;
    System.arraycopy(more, 0, args, 2, more.length);
    return run(args);
  }

  @Test
  void a_folder_of_the_name_is_preferred() {
    assertThat(new NamedAsAFolder().name()).isEqualTo(model.toString());
    assertThat(run("generate", model, "--length", 5).code()).isZero();
  }

  @Test
  void another_name_is_the_folder_that_is_missing() {
    assertThat(run("generate", "bundled").err())
        .contains(
            "bundled is not a folder; name the folder that the model was saved to, or a pretrained"
                + " model: ")
        .contains("bundled-bytes");
  }
}
