package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;

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
import io.github.sharnn.cli.options.SplitOptions;
import io.github.sharnn.engine.DeviceMemory;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code sharnn.jar benchmark}: the time of training steps beside its floor. */
@Command(
    name = "benchmark",
    description = {
      "Time training steps, and beside them the bare LSTMs and matrix products; or generated tokens.",
      "A step is one of the trainer's, reading the data included, on random bytes, with a full memory; on"
          + " more than 256 tokens, random words by Zipf's law, the n-th with a probability in proportion to 1/n."
          + " Its"
          + " segments have random lengths: the time is that per byte, times the bytes of a full segment; the"
          + " median of all steps. The floor is the time of each layer's LSTM, forward and backward, and of the"
          + " matrix products of Boom, attention and output with those of their backward, without graph and"
          + " element-wise operations.",
      "Without options: on a GPU the paper's model (C 1024, H 4096, 4 layers, memory 5000, segments of 1024)"
          + " in FLOAT16, on a CPU a small one (C 256, H 1024, 4 layers, memory 512, segments of 128) in"
          + " FLOAT32.",
      "With --generate: tokens of texts side by side, each a step of the model and a draw, the last ones"
          + " before each position; every token before them is generated too."
    },
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false)
final class BenchmarkCommand implements Callable<Integer> {

  private static final Pattern OUT_OF_MEMORY =
      Pattern.compile("out of memory|can't allocate memory|ALLOC_FAILED");
  private static final String COLUMNS = "%5s %9s %10s %10s %8s %8s %9s %8s %8s %10s%n";

  @Mixin private DeviceOption deviceOption;

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      description = "FLOAT32 or FLOAT16. Default: FLOAT16 for training on a GPU, else FLOAT32.")
  private DataType precision;

  @Option(names = "--generate", description = "Time generated tokens instead of training steps.")
  private boolean generate;

  @Option(
      names = "--positions",
      split = ",",
      paramLabel = "N",
      description =
          "With --generate: where in the texts to measure. Default: 1.2 and 4 times the memory's"
              + " length.")
  private List<Integer> positions;

  @Option(
      names = "--onnx",
      description = {
        "With --generate: time ONNX Runtime too, on the exported model with a full memory. It needs"
            + " onnxruntime.jar on the class path:",
        "java -cp sharnn.jar:onnxruntime.jar io.github.sharnn.cli.Sharnn benchmark --generate --onnx"
      })
  private boolean onnx;

  @Option(
      names = "--batch-size",
      split = ",",
      paramLabel = "B",
      description =
          "Streams side by side; several, separated by commas, give a line each. Default: 16; with"
              + " --generate 1 and, on a GPU, 64.")
  private List<Integer> batchSizes;

  @Option(names = "--vocabulary-size", description = "Number of tokens.")
  private int vocabularySize = 256;

  @Mixin private SplitOptions splitOptions;

  @Option(names = "--embedding-size", description = "Size C of embeddings, LSTMs and attention.")
  private Integer embeddingSize;

  @Option(names = "--boom-size", description = "Inner size H of the Boom, a multiple of C.")
  private Integer boomSize;

  @Option(names = "--layers", description = "Number of blocks.")
  private Integer layers;

  @Option(
      names = "--attention-layers",
      split = ",",
      arity = "0..1",
      fallbackValue = "",
      description =
          "Layers with attention, counted from 0, separated by commas; empty for none. Default: the"
              + " second-to-last.")
  private int[] attentionLayers;

  @Option(names = "--memory-length", description = "Positions that attention sees.")
  private Integer memoryLength;

  @Option(names = "--sequence-length", description = "Longest segment that gradients flow through.")
  private Integer sequenceLength;

  @Option(names = "--dropout", description = "Rate of every dropout.")
  private float dropout = 0.1f;

  @Option(
      names = "--steps",
      description =
          "Steps to time, after those that fill the memory. Default: 30; with --generate 200, before"
              + " each position.")
  private Integer steps;

  @Option(names = "--no-floor", description = "Leave the bare LSTMs and matrix products out.")
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
        "--positions and --onnx are for generated tokens: add --generate, or leave them out");
    if (generate) {
      return new GenerationTimes(config, device, precision, orElse(steps, 200), onnx)
          .print(batchSizes, positions);
    }
    int segment = orElse(sequenceLength, device.isGpu() ? 1024 : 128);
    TrainingBenchmark benchmark =
        TrainingBenchmark.builder(config)
            .device(device)
            .precision(precision)
            .sequenceLength(segment)
            .steps(orElse(steps, 30))
            .floor(!noFloor)
            .build();
    printHeader(benchmark, config, segment);
    Set<String> sources = new TreeSet<>();
    boolean complete = true;
    for (int batchSize : batchSizes) {
      try {
        Result result = benchmark.run(batchSize);
        print(result);
        result.memory().map(DeviceMemory::source).ifPresent(sources::add);
      } catch (EngineException e) {
        Optional<String> reason = outOfMemory(e);
        System.out.printf("%5d %s%n", batchSize, reason.orElseThrow(() -> e));
        complete = false;
      }
    }
    sources.forEach(source -> System.out.println("memory: " + source));
    return complete ? 0 : Sharnn.FAILED;
  }

  private SHARNNConfig config(boolean gpu) {
    SHARNNConfig.Builder builder =
        SHARNN.builder().vocabularySize(vocabularySize).dropouts(dropout);
    splitOptions.apply(builder);
    if (!gpu) {
      builder.embeddingSize(256).boomSize(1024).memoryLength(512);
    }
    Optional.ofNullable(embeddingSize).ifPresent(builder::embeddingSize);
    Optional.ofNullable(boomSize).ifPresent(builder::boomSize);
    Optional.ofNullable(layers).ifPresent(builder::layers);
    Optional.ofNullable(attentionLayers).ifPresent(builder::attentionLayers);
    Optional.ofNullable(memoryLength).ifPresent(builder::memoryLength);
    return builder.config();
  }

  private static int orElse(Integer value, int otherwise) {
    return value == null ? otherwise : value;
  }

  private void printHeader(TrainingBenchmark benchmark, SHARNNConfig config, int segment) {
    try (Model model = SHARNN.of(config).newModel("benchmark", benchmark.device())) {
      model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      RunHeader.of(model, benchmark.precision()).forEach(System.out::println);
    }
    System.out.println(config);
    System.out.printf(
        "segments of up to %d, their time scaled to %d; median of %d steps with a full memory%n",
        segment, segment, orElse(steps, 30));
    System.out.printf(
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

  private static void print(Result result) {
    Floor floor = result.floor();
    System.out.printf(
        COLUMNS,
        result.batchSize(),
        number("%.2f", result.milliseconds()),
        number("%,.0f", result.tokensPerSecond()),
        result
            .memory()
            .map(memory -> number("%.2f GiB", memory.bytes() / 0x1p30))
            .orElse("unknown"),
        number("%.2f", floor.lstms()),
        number("%.2f", floor.boom()),
        number("%.2f", floor.attention()),
        number("%.2f", floor.output()),
        number("%.2f", floor.milliseconds()),
        number("%.2f", result.ratio()));
  }

  private static String number(String format, double value) {
    return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, format, value);
  }

  /** What PyTorch says, in one line, where memory is what it lacks. */
  static Optional<String> outOfMemory(EngineException e) {
    return String.valueOf(e.getMessage())
        .lines()
        .filter(OUT_OF_MEMORY.asPredicate())
        .findFirst()
        .map(line -> "out of memory: " + line.strip());
  }
}
