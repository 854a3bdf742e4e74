package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;
import static io.github.sharnn.cli.progress.Texts.format;
import static io.github.sharnn.cli.progress.Texts.print;
import static java.util.Objects.requireNonNullElse;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.bench.TrainingBenchmark;
import io.github.sharnn.bench.TrainingBenchmark.Floor;
import io.github.sharnn.bench.TrainingBenchmark.Result;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.cli.options.KernelsOption;
import io.github.sharnn.cli.options.SizeOptions;
import io.github.sharnn.engine.DeviceMemory;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code sharnn.jar benchmark}: times training steps beside their floor, or generated tokens. */
@Command(
    name = "benchmark",
    description = {
      "Time training steps beside their floor; or, with --generate, time generated tokens.",
      "The trainer runs its usual steps, reading the data included, on random bytes with a full"
          + " memory. A vocabulary of more than 256 tokens gets random words by Zipf's law: the"
          + " n-th word has a probability proportional to 1/n. Segments have random lengths, so the"
          + " reported time is the median time per byte, times the bytes of a full segment. The"
          + " floor is the time of the bare computation: each layer's LSTM, forward and backward,"
          + " and the matrix products of Boom, attention and output with those of their backward"
          + " pass, without graph and element-wise operations.",
      "The default on a GPU is the paper's model in FLOAT16: C 1024, H 4096, 4 layers, memory 5000,"
          + " segments of 1024. The default on a CPU is a small model in FLOAT32: C 256, H 1024, 4"
          + " layers, memory 512, segments of 128.",
      "--generate generates several texts side by side and times the last tokens before each"
          + " position. Each token is one step of the model and one random draw."
    })
final class BenchmarkCommand implements Callable<Integer> {

  private static final Pattern OUT_OF_MEMORY =
      Pattern.compile("out of memory|can't allocate memory|ALLOC_FAILED");
  private static final String COLUMNS = "%5s %9s %10s %10s %8s %8s %9s %8s %8s %10s%n";

  @Spec private CommandSpec spec;

  @Mixin private DeviceOption deviceOption;

  @Option(
      names = "--precision",
      split = ",",
      paramLabel = "TYPE",
      description =
          "FLOAT32 or FLOAT16; with --generate on a CPU also INT8, and several, separated by commas,"
              + " take turns. Default: FLOAT16 for training on a GPU, else FLOAT32.")
  private @Nullable List<DataType> precisions;

  @Option(names = "--generate", description = "Time generated tokens instead of training steps.")
  private boolean generate;

  @Option(
      names = "--positions",
      split = ",",
      paramLabel = "N",
      description =
          "Positions in the texts to measure at, with --generate. Default: 1.2 and 4 times the"
              + " memory length.")
  private @Nullable List<Integer> positions;

  @Option(
      names = "--onnx",
      description = {
        "Time ONNX Runtime too, with --generate, on the exported model with a full memory. It needs"
            + " onnxruntime.jar on the class path:",
        "java -cp sharnn.jar:onnxruntime.jar io.github.sharnn.cli.Sharnn benchmark --generate"
            + " --onnx"
      })
  private boolean onnx;

  @Option(
      names = "--batch-size",
      split = ",",
      paramLabel = "B",
      description =
          "Streams side by side. Several sizes, separated by commas, give a line each. Default: 16;"
              + " with --generate 1 and, on a GPU, also 64.")
  private @Nullable List<Integer> batchSizes;

  @Option(names = "--vocabulary-size", description = "Number of tokens.")
  private int vocabularySize = 256;

  @Mixin private SizeOptions sizes;

  @Option(
      names = "--sequence-length",
      description = "Length T of the segments that gradients flow through.")
  private @Nullable Integer sequenceLength;

  @Option(names = "--dropout", description = "Rate of all dropouts.")
  private float dropout = 0.1f;

  @Option(
      names = "--steps",
      description =
          "Steps to time, once the memory is full. Default: 30; with --generate, 200 before each"
              + " position.")
  private @Nullable Integer steps;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      description = "The optimizer: lamb, adamw or muon.")
  private OptimizerSettings.Type optimizer = OptimizerSettings.Type.LAMB;

  @Mixin private KernelsOption kernels;

  @Option(names = "--no-floor", description = "Skip the floor: the bare LSTMs and matrix products.")
  private boolean noFloor;

  @Override
  public Integer call() throws Exception {
    Device device = deviceOption.device();
    SHARNNConfig config = config(device.isGpu());
    if (batchSizes == null) {
      batchSizes = !generate ? List.of(16) : device.isGpu() ? List.of(1, 64) : List.of(1);
    }
    for (int batchSize : batchSizes) {
      checkArgument(batchSize >= 1, "batchSize must be at least 1, but is %s", batchSize);
    }
    checkArgument(
        generate || positions == null && !onnx,
        "--positions and --onnx need --generate: add it, or leave them out");
    for (String name : List.of("--sequence-length", "--dropout", "--optimizer", "--no-floor")) {
      checkArgument(
          !generate || !spec.commandLine().getParseResult().hasMatchedOption(name),
          "%s is for training steps, and --generate times generated tokens: leave one of them out",
          name);
    }
    checkArgument(
        generate || precisions == null || precisions.size() == 1,
        "several of --precision need --generate: add it, or name one precision");
    if (generate) {
      List<DataType> types = precisions == null ? List.of(DataType.FLOAT32) : precisions;
      return new GenerationTimes(
              config,
              device,
              types,
              kernels.or(Kernels.Use.AUTO),
              requireNonNullElse(steps, 200),
              onnx)
          .print(batchSizes, positions);
    }
    int segment = requireNonNullElse(sequenceLength, device.isGpu() ? 1024 : 128);
    TrainingBenchmark benchmark =
        new TrainingBenchmark(
            config,
            segment,
            optimizer,
            kernels.or(Kernels.Use.AUTO),
            device,
            precisions == null ? null : precisions.get(0),
            requireNonNullElse(steps, 30),
            !noFloor);
    printHeader(benchmark);
    Set<String> sources = new TreeSet<>();
    boolean complete = true;
    for (int batchSize : batchSizes) {
      try {
        Result result = benchmark.run(batchSize);
        printRow(result);
        result.memory().map(DeviceMemory::source).ifPresent(sources::add);
      } catch (EngineException e) {
        Optional<String> reason = outOfMemory(e);
        print("%5d %s%n", batchSize, reason.orElseThrow(() -> e));
        complete = false;
      }
    }
    sources.forEach(source -> System.out.println("memory: " + source));
    return complete ? 0 : Sharnn.FAILED;
  }

  private SHARNNConfig config(boolean gpu) {
    SHARNNConfig.Builder builder =
        SHARNN.builder().vocabularySize(vocabularySize).dropouts(dropout);
    sizes.applySplits(builder);
    if (!gpu) {
      builder.embeddingSize(256).boomSize(1024).memoryLength(512);
    }
    sizes.apply(builder);
    return builder.config();
  }

  private static void printHeader(TrainingBenchmark benchmark) {
    try (Model model = SHARNN.of(benchmark.config()).newModel("benchmark", benchmark.device())) {
      model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      RunHeader.of(model, benchmark.precision()).forEach(System.out::println);
    }
    System.out.println(benchmark.config());
    print(
        "segments of up to %d, their time scaled to %d; median of %d steps with a full memory;"
            + " optimizer %s%n",
        benchmark.sequenceLength(),
        benchmark.sequenceLength(),
        benchmark.steps(),
        benchmark.optimizer());
    print(
        COLUMNS,
        "batch",
        "ms/step",
        "tokens/s",
        "memory",
        "LSTMs",
        "Boom",
        "attention",
        "output",
        "floor",
        "step/floor");
  }

  private static void printRow(Result result) {
    Floor floor = result.floor();
    print(
        COLUMNS,
        result.batchSize(),
        number("%.2f", result.milliseconds()),
        number("%,.0f", result.tokensPerSecond()),
        result.memory().map(m -> number("%.2f GiB", m.bytes() / 0x1p30)).orElse("unknown"),
        number("%.2f", floor.lstms()),
        number("%.2f", floor.boom()),
        number("%.2f", floor.attention()),
        number("%.2f", floor.output()),
        number("%.2f", floor.milliseconds()),
        number("%.2f", result.ratio()));
  }

  private static String number(String pattern, double value) {
    return Double.isNaN(value) ? "-" : format(pattern, value);
  }

  /** Returns PyTorch's message in one line, if the error is a lack of memory. */
  static Optional<String> outOfMemory(EngineException e) {
    return String.valueOf(e.getMessage())
        .lines()
        .filter(OUT_OF_MEMORY.asPredicate())
        .findFirst()
        .map(line -> "out of memory: " + line.strip());
  }
}
