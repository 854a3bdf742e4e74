package io.github.sharnn.bench;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.Lamb;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.Readback;
import io.github.sharnn.train.optim.WeightUpdate;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.TrainingStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Iterator;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * The time of a training step beside that of its bare parts.
 *
 * <p>The step is the code that {@link SHARNNTrainer} runs: a batch of {@link StreamDataset}, {@link
 * TrainingStep} with carried state, clipping and {@link Lamb}, with the recipe's dropout. {@link
 * BareParts} describes the bare parts.
 *
 * <p>C 256, H 1024, V 256, 4 layers, attention in the third, batch 16, segment 128, FLOAT32, 2
 * threads. The memory has 512 positions and is full, so attention sees 512 keys.
 *
 * <pre>{@code
 * mvn -B -Pbenchmark -DskipTests -pl sharnn-bench -am test
 * }</pre>
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 4)
@Measurement(iterations = 5, time = 4)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "-Dai.djl.pytorch.num_threads=2",
      "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    })
public class TrainingStepBenchmark {

  private static final int BATCH_SIZE = 16;
  private static final int SEQUENCE_LENGTH = 128;
  private static final int SEED = 42;
  private static final SHARNNConfig CONFIG =
      SHARNN.builder().embeddingSize(256).boomSize(1024).memoryLength(512).config();

  /** A model in training on random bytes, its memory full. */
  @State(Scope.Benchmark)
  public static class Training {

    private Path file;
    private Model model;
    private Lamb lamb;
    private MixedPrecisionWeights weights;
    private Trainer trainer;
    private WeightUpdate update;
    private TrainingStep step;
    private StreamDataset dataset;
    private Iterator<Batch> batches;
    private NDManager stateManager;
    private SHARNNState state;

    /** Builds the model and trains until the memory is full. */
    @Setup
    public void setUp() throws IOException {
      file = Files.createTempFile("benchmark", ".bin");
      byte[] bytes = new byte[1 << 22];
      new Random(SEED).nextBytes(bytes);
      Files.write(file, bytes);
      dataset = StreamDataset.fixed(Corpus.open(file).train(), BATCH_SIZE, SEQUENCE_LENGTH);
      SHARNN block = SHARNN.of(CONFIG);
      model = block.newModel("benchmark", Device.cpu());
      model.getNDManager().getEngine().setRandomSeed(SEED);
      lamb = Lamb.builder().build();
      Shape tokens = new Shape(BATCH_SIZE, SEQUENCE_LENGTH);
      weights = MixedPrecisionWeights.of(model, DataType.FLOAT32, tokens);
      trainer =
          weights
              .model()
              .newTrainer(
                  new DefaultTrainingConfig(new SequenceCrossEntropy())
                      .optDevices(new Device[] {Device.cpu()})
                      .optOptimizer(lamb));
      trainer.initialize(tokens);
      update = new WeightUpdate(weights, trainer, lamb, null, 0.25, 0);
      step = new TrainingStep(trainer);
      batches = dataset.getData(trainer.getManager()).iterator();
      stateManager = trainer.getManager().newSubManager();
      state = block.zeroState(stateManager, BATCH_SIZE);
      for (int filled = 0; filled < CONFIG.memoryLength(); filled += SEQUENCE_LENGTH) {
        step();
      }
    }

    private double step() {
      if (!batches.hasNext()) {
        batches = dataset.getData(trainer.getManager()).iterator();
      }
      try (Batch batch = batches.next()) {
        TrainingStep.Result result = step.run(batch, state, 1);
        state.close();
        state = result.state().attach(stateManager);
        try (Readback readback = update.launch(new NDList(result.loss()), 1)) {
          float[] measured = readback.await();
          double sum = measured[0] + measured[1];
          update.complete();
          return sum;
        }
      }
    }

    /** Closes the model. */
    @TearDown
    public void tearDown() throws IOException {
      update.close();
      trainer.close();
      weights.close();
      lamb.close();
      model.close();
      Files.delete(file);
    }
  }

  /** The bare parts of the same model. */
  @State(Scope.Benchmark)
  public static class Bare {

    private final BareParts parts =
        new BareParts(CONFIG, BATCH_SIZE, SEQUENCE_LENGTH, DataType.FLOAT32, Device.cpu());

    /** Closes the operands. */
    @TearDown
    public void tearDown() {
      parts.close();
    }
  }

  /** Runs one training step. */
  @Benchmark
  public double trainingStep(Training training) {
    return training.step();
  }

  /** Computes all LSTMs, forward and backward. */
  @Benchmark
  public void bareLstms(Bare bare) {
    bare.parts.lstms();
  }

  /** Computes Boom's matrix products of all layers, forward and backward. */
  @Benchmark
  public long bareBoom(Bare bare) {
    return bare.parts.boom();
  }

  /** Computes the attention layer's matrix products, forward and backward. */
  @Benchmark
  public long bareAttention(Bare bare) {
    return bare.parts.attention();
  }

  /** Computes the output's matrix products, forward and backward. */
  @Benchmark
  public long bareOutput(Bare bare) {
    return bare.parts.output();
  }

  /** Runs all parts with JMH's options and prints the step over their sum. */
  public static void main(String... args) throws RunnerException, CommandLineOptionException {
    Collection<RunResult> results =
        new Runner(
                new OptionsBuilder()
                    .parent(new CommandLineOptions(args))
                    .include(TrainingStepBenchmark.class.getSimpleName())
                    .build())
            .run();
    double step = Double.NaN;
    double sum = 0;
    System.out.printf(Locale.ROOT, "%n%-16s %10s %8s%n", "part", "ms", "error");
    for (RunResult run : results) {
      Result<?> result = run.getPrimaryResult();
      System.out.printf(
          Locale.ROOT,
          "%-16s %10.1f %8.1f%n",
          result.getLabel(),
          result.getScore(),
          result.getScoreError());
      if (result.getLabel().equals("trainingStep")) {
        step = result.getScore();
      } else {
        sum += result.getScore();
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%-16s %10.1f%n%-16s %10.2f%n",
        "sum of parts",
        sum,
        "step / sum",
        step / sum);
  }
}
