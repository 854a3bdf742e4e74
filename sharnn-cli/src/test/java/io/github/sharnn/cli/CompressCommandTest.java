package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code compress} and {@code decompress}. */
class CompressCommandTest extends TrainedModelTest {

  @Test
  void compresses_and_decompresses(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("text"), "abcd efgh ijkl mnop. ".repeat(9));
    Outcome outcome = run("compress", model, file);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("189 bytes to ", " bits per byte); ", "text.sharnn");
    Path compressed = folder.resolve("text.sharnn");
    assertThat(run("compress", model, file).err()).contains("text.sharnn exists already");
    Path back = folder.resolve("back");
    outcome = run("decompress", model, compressed, "--output", back);
    assertThat(outcome.out()).contains("to 189: header ", "decompressed in " + back);
    assertThat(back).hasSameBinaryContentAs(file);
    Path empty = Files.createFile(folder.resolve("empty"));
    outcome = run("compress", model, empty);
    assertThat(outcome.out())
        .containsPattern("\n0 bytes to \\d+: header \\d+, code \\d+; 0 bytes/s\n");
    Path damaged = folder.resolve("damaged");
    byte[] bytes = Files.readAllBytes(compressed);
    bytes[bytes.length - 20] ^= 1;
    Files.write(damaged, bytes);
    outcome = run("decompress", model, damaged, "--output", folder.resolve("other"));
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains("damaged").hasLineCount(1);
    assertThat(folder.resolve("other")).doesNotExist();
    outcome = run("decompress", model, file, "--output", folder.resolve("other"));
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains("is no file that sharnn.jar compress wrote").hasLineCount(1);
  }

  @Test
  void gives_the_file_back_in_int8(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("text"), "abcd efgh ijkl mnop. ".repeat(3));
    Path compressed = folder.resolve("text.sharnn");
    Path back = folder.resolve("back");
    Outcome outcome = run("compress", model, file, "--precision", "INT8");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).startsWith("device cpu, precision INT8\n");
    outcome = run("decompress", model, compressed, "--output", back);
    assertThat(outcome.code()).isEqualTo(Sharnn.FAILED);
    assertThat(outcome.err())
        .contains("was compressed in INT8, but this model is in FLOAT32: use --precision INT8")
        .hasLineCount(1);
    assertThat(back).doesNotExist();
    outcome = run("decompress", model, compressed, "--output", back, "--precision", "INT8");
    assertThat(outcome.code()).isZero();
    assertThat(back).hasSameBinaryContentAs(file);
    outcome = run("compress", model, file, "--precision", "FLOAT16");
    assertThat(outcome.err()).contains("--precision must be FLOAT32 or INT8, but is FLOAT16");
  }

  @Test
  void a_model_in_float16_is_told_what_it_can_do(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("text"), "abcd efgh ijkl mnop. ".repeat(3));
    Path half = folder.resolve("half");
    try (Model whole = SHARNN.load(model);
        Model copy = SHARNN.of(SHARNN.of(whole).config()).newModel("half")) {
      copy.setDataType(DataType.FLOAT16);
      copy.getBlock().initialize(copy.getNDManager(), DataType.FLOAT16, new Shape(1, 1));
      copy.save(half, null);
    }
    assertThat(run("compress", half, file, "--precision", "INT8").err())
        .contains("--precision INT8 is for a model with FLOAT32 weights, but this one has FLOAT16")
        .contains("leave --precision out to compute in FLOAT16");
    assertThat(run("compress", model, file).code()).isZero();
    Path compressed = folder.resolve("text.sharnn");
    Path back = folder.resolve("back");
    assertThat(run("decompress", half, compressed, "--output", back).err())
        .contains("was compressed in FLOAT32, but this model is in FLOAT16: name the folder of the")
        .contains("FLOAT32 model that compressed it");
    Files.delete(compressed);
    assertThat(run("compress", half, file).code()).isZero();
    assertThat(run("decompress", half, compressed, "--output", back).code()).isZero();
    assertThat(back).hasSameBinaryContentAs(file);
  }
}
