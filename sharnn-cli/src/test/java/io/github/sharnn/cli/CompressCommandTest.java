package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

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
}
