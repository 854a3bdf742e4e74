package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.bench.GenerationBenchmark;
import io.github.sharnn.bench.OnnxBenchmark;
import io.github.sharnn.cli.progress.Texts;
import io.github.sharnn.engine.kernels.Kernels;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The table that {@code sharnn.jar benchmark --generate} prints. */
record GenerationTimes(
    SHARNNConfig config,
    Device device,
    List<DataType> precisions,
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
    List<Model> models = new ArrayList<>();
    try {
      for (DataType precision : precisions) {
        models.add(model(precision));
      }
      DecoderHeader.of(models.get(0), precisions.get(0)).forEach(System.out::println);
      System.out.println(config);
      Texts.print("the last %d tokens of each text before each position%n", steps);
      Texts.print(
          "%5s %9s %13s %10s %12s  %s%n",
          "batch", "position", "ms, median", "tokens/s", "memory", "precision");
      for (int batchSize : batchSizes) {
        complete &= print(models, batchSize, measured);
      }
      if (onnx) {
        printOnnx(models.get(0));
      }
    } finally {
      models.forEach(Model::close);
    }
    return complete ? 0 : Sharnn.FAILED;
  }

  private Model model(DataType precision) {
    Model model = SHARNN.of(config).newModel("benchmark", device);
    SHARNN block = SHARNN.of(model);
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
    block.kernels(kernels);
    if (precision == DataType.INT8) {
      block.quantize();
    }
    return model;
  }

  private boolean print(List<Model> models, int batchSize, int... positions) {
    List<GenerationBenchmark> benchmarks = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      benchmarks.add(new GenerationBenchmark(models.get(i), precisions.get(i), steps));
    }
    try {
      List<List<GenerationBenchmark.Result>> results =
          GenerationBenchmark.inTurns(benchmarks, batchSize, positions);
      for (int position = 0; position < positions.length; position++) {
        for (int i = 0; i < results.size(); i++) {
          GenerationBenchmark.Result result = results.get(i).get(position);
          printRow(result, String.valueOf(result.position()), precisions.get(i).name());
        }
      }
      return true;
    } catch (EngineException e) {
      Optional<String> reason = BenchmarkCommand.outOfMemory(e);
      Texts.print("%5d %s%n", batchSize, reason.orElseThrow(() -> e));
      return false;
    }
  }

  private void printOnnx(Model model) throws IOException, OrtException {
    List<Boolean> int8 = precisions.contains(DataType.INT8) ? List.of(false, true) : List.of(false);
    List<GenerationBenchmark.Result> results = OnnxBenchmark.run(model, steps, int8);
    String version = OrtEnvironment.getEnvironment().getVersion();
    for (int i = 0; i < results.size(); i++) {
      String precision = int8.get(i) ? "INT8" : "FLOAT32";
      printRow(
          results.get(i), "full", precision + "   ONNX Runtime " + version + ", CPU, file size");
    }
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
        "%5d %9s %13.3f %,10.0f %8.2f MiB  %s%n",
        result.streams(),
        position,
        result.milliseconds(),
        result.tokensPerSecond(),
        result.bytes() / 0x1p20,
        note);
  }
}
