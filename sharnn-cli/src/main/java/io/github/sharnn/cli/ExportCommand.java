package io.github.sharnn.cli;

import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Device;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.options.LossOption;
import io.github.sharnn.cli.options.ModelArgument;
import io.github.sharnn.onnx.OnnxExport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code sharnn.jar export}: writes a saved model as an ONNX file. */
@Command(name = "export", description = "Write a model as ONNX, for runtimes without PyTorch.")
final class ExportCommand implements Callable<Integer> {

  @Mixin private ModelArgument argument;

  @Option(names = "--output", paramLabel = "ONNX", description = "A new file for the ONNX model.")
  private Path output = Path.of("model.onnx");

  @Option(
      names = "--int8",
      description =
          "Round matrices to 8 bits, for ONNX Runtime on a CPU: a quarter of the size, and faster."
              + " Prints the loss of quality.")
  private boolean int8;

  @Mixin private LossOption loss;

  @Override
  public Integer call() throws Exception {
    Sharnn.checkNewFile(output, "--output");
    loss.check(int8, "--int8");
    try (Model model = SHARNN.load(argument.folder(), Device.cpu())) {
      if (int8) {
        loss.print(model);
        OnnxExport.writeInt8(model, output);
      } else {
        OnnxExport.write(model, output);
      }
    }
    print("%s: %,d bytes, ONNX opset %d%n", output, Files.size(output), OnnxExport.OPSET);
    return 0;
  }

  /** {@code sharnn.jar quantize}: saves a model in 8 bits a weight. */
  @Command(
      name = "quantize",
      description = "Save a model with matrices in 8 bits, and print the loss of quality.")
  static final class Quantize implements Callable<Integer> {

    private static final String WEIGHTS = "model.safetensors";

    @Mixin private ModelArgument argument;

    @Option(
        names = "--output",
        paramLabel = "DIR",
        required = true,
        description = "A new folder for the smaller model.")
    private Path output;

    @Mixin private LossOption loss;

    @Override
    public Integer call() throws Exception {
      Sharnn.checkNew(output, "--output");
      Path folder = argument.folder();
      try (Model model = SHARNN.load(folder, Device.cpu())) {
        loss.print(model);
        SHARNN.of(model).quantize();
        model.save(output, null);
      }
      print("%s: %,d bytes, %s: %,d bytes%n", folder, size(folder), output, size(output));
      return 0;
    }

    private static long size(Path model) throws IOException {
      return Files.size(model.resolve(WEIGHTS));
    }
  }
}
