package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnxruntime.OrtSession;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.onnx.OnnxExport;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExportCommandTest extends TrainedModelTest {

  @Test
  void exported_model_generates_the_same_text_with_onnx_runtime_alone(@TempDir Path folder)
      throws Exception {
    Path file = folder.resolve("model.onnx");
    Outcome exported = run("export", model, "--output", file);
    assertThat(exported.err()).isEmpty();
    assertThat(exported.code()).isZero();
    assertThat(exported.out()).contains(file + ": ", " bytes, ONNX opset 17");

    Process process = onnxGenerate(file, "efgh", "64", "9", "2");
    byte[] text = process.getInputStream().readAllBytes();
    assertThat(process.waitFor()).isZero();

    ByteArrayOutputStream ours = new ByteArrayOutputStream();
    try (Model saved = SHARNN.load(model)) {
      SHARNNGenerator.builder(saved)
          .length(64)
          .seed(9)
          .temperature(2)
          .build()
          .generate("efgh".getBytes(StandardCharsets.UTF_8), ours::write);
    }
    String newline = System.lineSeparator();
    assertThat(new String(text, StandardCharsets.ISO_8859_1))
        .isEqualTo("efgh" + ours.toString(StandardCharsets.ISO_8859_1) + newline)
        .hasSize(4 + 64 + newline.length());
  }

  @Test
  void exports_in_8_bits_and_prints_the_loss(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("int8.onnx");
    Outcome exported = run("export", model, "--int8", "--output", file);
    assertThat(exported.err()).isEmpty();
    assertThat(exported.code()).isZero();
    assertThat(exported.out())
        .containsPattern(
            "1,000 tokens of its own: [0-9.]+ bits a token in FLOAT32, [0-9.]+ in INT8");
    String printed = exported.out().lines().findFirst().orElseThrow();
    double loss = Double.parseDouble(printed.substring(printed.lastIndexOf(' ') + 1));
    assertThat(loss).isBetween(-0.01, 0.01); // bits a byte
    Process process = onnxGenerate(file, "efgh", "64", "9", "2");
    assertThat(process.getInputStream().readAllBytes()).hasSizeGreaterThanOrEqualTo(68);
    assertThat(process.waitFor()).isZero();
  }

  @Test
  void quantized_folder_is_smaller_and_loads(@TempDir Path folder) throws Exception {
    Path smaller = folder.resolve("smaller");
    Path text = Files.writeString(folder.resolve("text"), "abcdefghijabcdefghij");
    Outcome quantized = run("quantize", model, "--output", smaller, "--text", text);
    assertThat(quantized.err()).isEmpty();
    assertThat(quantized.code()).isZero();
    assertThat(quantized.out()).contains("19 tokens of " + text + ": ", smaller + ": ");
    assertThat(Files.size(smaller.resolve("model.safetensors")))
        .isLessThan(Files.size(Path.of(model.toString(), "model.safetensors")) / 2);
    Outcome text8 = run("generate", smaller, "--precision", "INT8", "--length", "8");
    assertThat(text8.code()).isZero();
    assertThat(text8.err()).contains("precision INT8");
    assertThat(text8.out()).hasSizeGreaterThanOrEqualTo(12);
  }

  @Test
  void text_of_the_loss_needs_int8(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("model.onnx");
    Outcome exported = run("export", model, "--output", file, "--text", file);
    assertThat(exported.code()).isEqualTo(Sharnn.BAD_USAGE);
    assertThat(exported.err()).contains("--text needs --int8: add it, or leave --text out");
  }

  private static Process onnxGenerate(Path file, String... args) throws Exception {
    Path onnxRuntime =
        Path.of(OrtSession.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Path source =
        Path.of("../sharnn-examples/src/main/java/io/github/sharnn/examples/OnnxGenerate.java");
    List<String> command =
        new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java", "-cp"));
    command.addAll(List.of(onnxRuntime.toString(), source.toString(), file.toString()));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** Their numbers would come out as bytes that nobody meant. */
  @Test
  void the_program_for_onnx_runtime_refuses_tokens_that_are_no_bytes(@TempDir Path folder)
      throws Exception {
    Path file = folder.resolve("words.onnx");
    SHARNN block =
        SHARNN.builder().vocabularySize(257).embeddingSize(16).boomSize(32).layers(1).build();
    try (Model words = block.newModel("words", Device.cpu())) {
      block.initialize(words.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      OnnxExport.write(words, file);
    }
    Process process = onnxGenerate(file, "abcd");
    assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
        .contains(file + " must be a model of bytes, but has 257 tokens");
    assertThat(process.waitFor()).isEqualTo(2);
  }

  @Test
  void export_keeps_what_is_there(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("model.onnx"), "mine");
    Outcome there = run("export", model, "--output", file);
    assertThat(there.code()).isEqualTo(Sharnn.FAILED);
    assertThat(there.err()).contains(file + " exists already", "--output");
    assertThat(file).hasContent("mine");
    Outcome nowhere = run("export", model, "--output", folder.resolve("no/model.onnx"));
    assertThat(nowhere.code()).isEqualTo(Sharnn.FAILED);
    assertThat(nowhere.err()).contains("no such file or folder: " + folder.resolve("no"));
    Outcome empty = run("export", folder, "--output", folder.resolve("new.onnx"));
    assertThat(empty.code()).isEqualTo(Sharnn.FAILED);
    assertThat(empty.err()).startsWith("error: ").contains(folder.toString());
  }
}
