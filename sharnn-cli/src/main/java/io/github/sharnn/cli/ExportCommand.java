package io.github.sharnn.cli;

import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Device;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.onnx.OnnxExport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar export}: writes a saved model as an ONNX file. */
@Command(name = "export", description = "Write a model as ONNX, for runtimes without PyTorch.")
final class ExportCommand implements Callable<Integer> {

  @Parameters(paramLabel = "MODEL", description = "The folder of a saved model.")
  private Path folder;

  @Option(names = "--output", paramLabel = "ONNX", description = "A new file for the ONNX model.")
  private Path output = Path.of("model.onnx");

  @Override
  public Integer call() throws Exception {
    Sharnn.checkNew(output, "--output");
    try (Model model = SHARNN.load(folder, Device.cpu())) {
      OnnxExport.write(model, output);
    }
    print("%s: %,d bytes, ONNX opset %d%n", output, Files.size(output), OnnxExport.OPSET);
    return 0;
  }
}
