package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnxruntime.OrtEnvironment;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.bench.GenerationBenchmark;
import io.github.sharnn.bench.OnnxBenchmark;
import io.github.sharnn.cli.progress.Texts;
import io.github.sharnn.engine.kernels.Kernels;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The table that {@code sharnn.jar benchmark --generate} prints. */
record GenerationTimes(
    SHARNNConfig config,
    Device device,
    @Nullable DataType precision,
    Kernels.Use kernels,
    int steps,
    boolean onnx) {

  /** Prints a line for each batch size and position, and returns the exit code. */
  int print(List<Integer> batchSizes, @Nullable List<Integer> positions) throws Exception {
    checkArgument(
        !onnx || hasOnnxRuntime(),
        "--onnx needs ONNX Runtime on the class path: start this program with java -cp"
            + " sharnn.jar:onnxruntime.jar io.github.sharnn.cli.Sharnn");
    int[] measured =
        positions == null
            ? new int[] {
              Math.max(config.memoryLength() * 6 / 5, steps),
              Math.max(4 * config.memoryLength(), steps)
            }
            : positions.stream().mapToInt(Integer::intValue).toArray();
    boolean complete = true;
    try (Model model = SHARNN.of(config).newModel("benchmark", device)) {
      model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      SHARNN.of(model).kernels(kernels);
      DecoderHeader.of(model, precision).forEach(System.out::println);
      System.out.println(config);
      Texts.print("the last %d tokens of each text before each position%n", steps);
      Texts.print("%5s %9s %13s %10s%n", "batch", "position", "ms, median", "tokens/s");
      GenerationBenchmark benchmark = new GenerationBenchmark(model, precision, steps);
      for (int batchSize : batchSizes) {
        try {
          benchmark
              .run(batchSize, measured)
              .forEach(result -> printRow(result, String.valueOf(result.position()), ""));
        } catch (EngineException e) {
          Optional<String> reason = BenchmarkCommand.outOfMemory(e);
          Texts.print("%5d %s%n", batchSize, reason.orElseThrow(() -> e));
          complete = false;
        }
      }
      if (onnx) {
        String version = OrtEnvironment.getEnvironment().getVersion();
        printRow(OnnxBenchmark.run(model, steps), "full", "   ONNX Runtime " + version + ", CPU");
      }
    }
    return complete ? 0 : Sharnn.FAILED;
  }

  private static boolean hasOnnxRuntime() {
    try {
      Class.forName("ai.onnxruntime.OrtSession");
      return true;
    } catch (ClassNotFoundException e) {
      return false;
    }
  }

  private static void printRow(GenerationBenchmark.Result result, String position, String note) {
    Texts.print(
        "%5d %9s %13.3f %,10.0f%s%n",
        result.streams(), position, result.milliseconds(), result.tokensPerSecond(), note);
  }
}
