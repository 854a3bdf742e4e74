package io.github.sharnn.bench;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import com.google.common.math.Quantiles;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.generate.Sampler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A benchmark of token generation, for one stream or many side by side, at chosen positions of the
 * text.
 *
 * <pre>{@code
 * GenerationBenchmark benchmark = new GenerationBenchmark(model, null, 500);
 * for (GenerationBenchmark.Result result : benchmark.run(1, 6_000, 20_000)) {
 *   System.out.println(result.tokensPerSecond());
 * }
 * }</pre>
 *
 * <p>The benchmark generates every token up to the last position. Each token takes one step of the
 * model, a copy of the logits to Java, and one sampled token for each stream, without top-k and
 * top-p. Times are wall-clock times.
 *
 * @param model an initialized model; the caller closes it
 * @param precision the type to compute in, or null for the weights' own type
 * @param steps the number of timed tokens of each stream at a position, at least 1
 */
public record GenerationBenchmark(Model model, @Nullable DataType precision, int steps) {

  /** Tokens of a turn. In the first ones of a turn the weights come back into the caches. */
  static final int TURN = 20;

  /**
   * Checks the number of steps.
   *
   * @param model an initialized model
   * @param precision a floating type, or null
   * @param steps at least 1
   * @throws IllegalArgumentException if {@code steps} is below 1
   */
  public GenerationBenchmark {
    checkArgument(steps >= 1, "steps must be at least 1, but is %s", steps);
  }

  /**
   * The time of the tokens before one position. A step generates one token for each stream.
   *
   * @param streams number of streams
   * @param position the position, in tokens from the start of the text
   * @param milliseconds median time of a step
   * @param tokensPerSecond mean over all timed steps, for all streams together
   * @param bytes the memory of the weights and of the decoder's arrays; with ONNX Runtime the size
   *     of the file
   */
  public record Result(
      int streams, int position, double milliseconds, double tokensPerSecond, long bytes) {

    /** Returns the result of steps that took these times, in milliseconds. */
    static Result of(int streams, int position, double[] times, long bytes) {
      double rate = 1000 * streams * (times.length / Arrays.stream(times).sum());
      return new Result(streams, position, Quantiles.median().compute(times), rate, bytes);
    }
  }

  /**
   * Times the last {@code steps} tokens before each position.
   *
   * @param streams number of streams, at least 1
   * @param positions positions in tokens from the start of the text, each at least {@code steps}
   * @return the results by ascending position
   * @throws IllegalArgumentException if a number is too small
   */
  public List<Result> run(int streams, int... positions) {
    return inTurns(List.of(this), streams, positions).get(0);
  }

  /**
   * Times several models or precisions in turns of 20 tokens, so that other load on the machine
   * slows all of them.
   *
   * @param benchmarks what to time, with the same number of steps
   * @param streams number of streams, at least 1
   * @param positions positions in tokens from the start of the text, each at least {@code steps}
   * @return the results of each benchmark by ascending position
   * @throws IllegalArgumentException if a number is too small
   */
  public static List<List<Result>> inTurns(
      List<GenerationBenchmark> benchmarks, int streams, int... positions) {
    int[] ends = Arrays.stream(positions).sorted().toArray();
    for (int end : ends) {
      int steps = benchmarks.get(0).steps();
      checkArgument(
          end >= steps,
          "a position must be at least steps (%s), since that many tokens before it are timed, but"
              + " is %s",
          steps,
          end);
    }
    List<Texts> running = new ArrayList<>();
    try {
      for (GenerationBenchmark benchmark : benchmarks) {
        running.add(benchmark.begin(streams));
      }
      int position = 0;
      for (int end : ends) {
        while (position < end) {
          int turn = Math.min(TURN, end - position);
          for (Texts texts : running) {
            for (int i = 0; i < turn; i++) {
              texts.next();
            }
          }
          position += turn;
        }
        running.forEach(texts -> texts.results.add(texts.result(end)));
      }
      return running.stream().map(texts -> List.copyOf(texts.results)).toList();
    } finally {
      running.forEach(Texts::close);
    }
  }

  private Texts begin(int streams) {
    SHARNN block = SHARNN.of(model);
    SHARNNDecoder decoder = SHARNNDecoder.of(block, model.getNDManager(), streams, precision);
    try (SHARNNState start = block.zeroState(model.getNDManager(), 1)) {
      for (int i = 0; i < streams; i++) {
        decoder.add(start);
      }
    }
    return new Texts(decoder, block.bytes(), new long[streams], new double[steps]);
  }

  /** Texts that are being generated. */
  private static final class Texts {

    private final Sampler sampler = new Sampler();
    private final RandomGenerator random = new SplittableRandom(1);
    private final List<Result> results = new ArrayList<>();
    private final SHARNNDecoder decoder;
    private final long weightBytes;
    private final long[] tokens;
    private final double[] times; // of the newest steps, in milliseconds
    private int position;

    Texts(SHARNNDecoder decoder, long weightBytes, long[] tokens, double... times) {
      this.decoder = decoder;
      this.weightBytes = weightBytes;
      this.tokens = tokens;
      this.times = times;
    }

    void next() {
      long start = System.nanoTime();
      float[][] logits = decoder.next(tokens);
      for (int i = 0; i < tokens.length; i++) {
        tokens[i] = sampler.sample(logits[i], random);
      }
      times[position++ % times.length] = (System.nanoTime() - start) / 1e6;
    }

    Result result(int end) {
      return Result.of(tokens.length, end, times, weightBytes + decoder.bytes());
    }

    void close() {
      decoder.close();
    }
  }
}
