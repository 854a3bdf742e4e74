package io.github.sharnn.bench;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.types.DataType;
import com.google.common.math.IntMath;
import com.google.common.math.Quantiles;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.DeviceMemory;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.train.step.SoleTraining;
import java.io.IOException;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A benchmark that compares training steps with their floor: the time of the bare LSTMs and matrix
 * products that every implementation needs.
 *
 * <pre>{@code
 * TrainingBenchmark benchmark =
 *     new TrainingBenchmark(
 *         config, 1024, OptimizerSettings.Type.LAMB, Kernels.Use.AUTO, Device.gpu(), null, 30, true);
 * TrainingBenchmark.Result result = benchmark.run(16);
 * System.out.println(result.milliseconds() + " ms, " + result.ratio() + " x the floor");
 * }</pre>
 *
 * <p>The steps are those of {@link SHARNNTrainer#fit} with the recipe's settings, on random bytes.
 * A time is wall-clock time from the end of one step to the end of the next, including reading the
 * data. A vocabulary of more than 256 tokens imitates words, most frequent first: token n has a
 * probability proportional to 1 / (n + 1). With splits, these probabilities decide how many labels
 * each tail gets; a real text has fewer labels in the last tails. Because segments have random
 * lengths, the reported time is the time per token multiplied by the tokens of a full segment.
 * Timing starts when the memory is full.
 *
 * <p>The floor is measured on the same device in the same precision, for a full segment with a full
 * memory. It has two parts:
 *
 * <ul>
 *   <li>every layer's LSTM through DJL, forward and backward, with its weights in one piece of
 *       memory;
 *   <li>the matrix products of Boom, attention and output with those of their backward pass,
 *       without graph, bias and element-wise operations. Remembered positions have no gradient.
 *       With splits, a tail has as many rows as it is expected to have labels.
 * </ul>
 *
 * @param config the model's shapes
 * @param sequenceLength the length T of the longest segment, at least 1
 * @param optimizer the optimizer, with its default settings
 * @param kernels if CUDA kernels of this library's own run on a GPU
 * @param device the device to compute on
 * @param precision the type that forward and backward compute in, FLOAT32 or FLOAT16; null for
 *     FLOAT16 on a GPU, else FLOAT32
 * @param steps the number of timed steps, once the memory is full, at least 1
 * @param measureFloor true to measure the floor too
 */
public record TrainingBenchmark(
    SHARNNConfig config,
    int sequenceLength,
    OptimizerSettings.Type optimizer,
    Kernels.Use kernels,
    Device device,
    @Nullable DataType precision,
    int steps,
    boolean measureFloor) {

  private static final Floor NOT_MEASURED =
      new Floor(Double.NaN, Double.NaN, Double.NaN, Double.NaN);
  private static final int LEAST_PART = 2; // bytes, one to read and one to predict
  private static final int MIN_WARM_UP = 10;
  private static final int BYTES = 256; // the largest vocabulary of random bytes

  /**
   * Checks the numbers and fills in the default precision.
   *
   * @param config the model's shapes
   * @param sequenceLength at least 1
   * @param optimizer any optimizer
   * @param kernels any use
   * @param device any device
   * @param precision FLOAT32, FLOAT16 or null
   * @param steps at least 1
   * @param measureFloor true or false
   * @throws IllegalArgumentException if a number is below 1
   */
  public TrainingBenchmark {
    precision = MixedPrecisionWeights.orDefault(precision, device);
    checkArgument(
        sequenceLength >= 1, "sequenceLength must be at least 1, but is %s", sequenceLength);
    checkArgument(steps >= 1, "steps must be at least 1, but is %s", steps);
  }

  /**
   * Milliseconds of the bare parts of all layers; NaN if they were not measured.
   *
   * @param lstms the LSTMs
   * @param boom the matrix products of Boom
   * @param attention the matrix products of attention
   * @param output the matrix products of the output layer
   */
  public record Floor(double lstms, double boom, double attention, double output) {

    /** {@return the time of all parts in milliseconds} */
    public double milliseconds() {
      return lstms + boom + attention + output;
    }
  }

  /**
   * The measurements at one batch size.
   *
   * @param batchSize number of streams
   * @param warmUpTokens number of tokens of each stream before the first timed step
   * @param steps number of timed steps
   * @param milliseconds median time of a full segment
   * @param tokensPerSecond tokens of all streams in that time
   * @param memory the device's peak memory, if it could be measured
   * @param floor the floor
   */
  public record Result(
      int batchSize,
      long warmUpTokens,
      int steps,
      double milliseconds,
      double tokensPerSecond,
      Optional<DeviceMemory> memory,
      Floor floor) {

    /** {@return the step's time divided by the floor; NaN without a floor} */
    public double ratio() {
      return milliseconds / floor.milliseconds();
    }
  }

  /**
   * Trains and measures.
   *
   * @param batchSize number of streams, at least 1
   * @return the measurements
   * @throws IOException if the temporary corpus can't be written
   * @throws EngineException if the device runs out of memory
   * @throws IllegalStateException if {@link SHARNNTrainer#fit} is running in this process
   */
  public Result run(int batchSize) throws IOException {
    DeviceMemory.release(device);
    Training training = train(batchSize);
    Floor floor = measureFloor ? floor(batchSize) : NOT_MEASURED;
    List<Double> times = new ArrayList<>();
    List<StepReport> history = training.history();
    long warmUpTokens = 0;
    // skips the last step: its end includes the evaluation at the end of training
    for (int i = warmUpSteps(); i < history.size() - 1; i++) {
      StepReport before = history.get(i - 1);
      StepReport step = history.get(i);
      if (before.bytes() / batchSize >= config.memoryLength()
          || config.attentionLayers().isEmpty()) {
        warmUpTokens = times.isEmpty() ? before.bytes() / batchSize : warmUpTokens;
        double seconds = step.seconds() - before.seconds();
        times.add(seconds / (step.bytes() - before.bytes()) * batchSize * sequenceLength * 1000);
      }
    }
    checkState(!times.isEmpty(), "the memory was not full after %s steps", history.size());
    double milliseconds = Quantiles.median().compute(times);
    return new Result(
        batchSize,
        warmUpTokens,
        times.size(),
        milliseconds,
        1000.0 * batchSize * sequenceLength / milliseconds,
        training.memory(),
        floor);
  }

  /** All steps, and the peak of the memory. */
  private record Training(List<StepReport> history, Optional<DeviceMemory> memory) {}

  private Training train(int batchSize) throws IOException {
    int total = warmUpSteps() + steps + 1;
    try (Model model = SHARNN.of(config).newModel("benchmark", device)) {
      SHARNNTrainer trainer =
          SHARNNTrainer.builder(model)
              .batchSize(batchSize)
              .sequenceLength(sequenceLength)
              .optimizer(OptimizerSettings.of(optimizer))
              .kernels(kernels)
              .precision(precision)
              .zeroStateProbability(0) // the memory stays full
              .evaluationStreams(1)
              .benchmark(
                  config.vocabularySize() > BYTES ? new ZipfTokens(config.vocabularySize()) : null)
              .build();
      long trainBytes = (long) batchSize * sequenceLength * total + 1;
      checkArgument(
          trainBytes + 2 * LEAST_PART <= Integer.MAX_VALUE,
          "batchSize (%s) x sequenceLength (%s) x all steps (%s) must stay below 2^31: use fewer"
              + " streams, shorter segments or fewer steps",
          batchSize,
          sequenceLength,
          total);
      Path file = Files.createTempFile("sharnn-benchmark", ".bin");
      try {
        Random random = new Random(1);
        int bound = Math.min(config.vocabularySize(), BYTES);
        byte[] tokens = new byte[(int) trainBytes + 2 * LEAST_PART];
        for (int i = 0; i < tokens.length; i++) {
          tokens[i] = (byte) random.nextInt(bound);
        }
        Files.write(file, tokens);
        Corpus corpus = Corpus.withSizes(file, trainBytes, LEAST_PART, LEAST_PART);
        List<StepReport> history = trainer.fit(corpus, Budget.steps(total)).history();
        return new Training(history, DeviceMemory.peak(device));
      } finally {
        Files.delete(file);
      }
    }
  }

  /** Returns enough steps to fill the memory, even with short segments, and to warm up. */
  private int warmUpSteps() {
    int segments = IntMath.divide(config.memoryLength(), sequenceLength, RoundingMode.CEILING);
    return config.attentionLayers().isEmpty()
        ? MIN_WARM_UP
        : Math.max(MIN_WARM_UP, 2 * segments + 2);
  }

  private Floor floor(int batchSize) {
    SoleTraining.begin("benchmark"); // the LSTMs' backward needs the gradient collector too
    try (BareParts parts = new BareParts(config, batchSize, sequenceLength, precision, device)) {
      return new Floor(
          parts.milliseconds(parts::lstms),
          parts.milliseconds(parts::boom),
          config.attentionLayers().isEmpty() ? 0 : parts.milliseconds(parts::attention),
          parts.milliseconds(parts::output));
    } finally {
      SoleTraining.end();
    }
  }
}
