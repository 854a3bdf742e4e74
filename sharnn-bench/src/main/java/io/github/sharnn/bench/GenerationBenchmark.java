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
   */
  public record Result(int streams, int position, double milliseconds, double tokensPerSecond) {}

  /**
   * Times the last {@code steps} tokens before each position.
   *
   * @param streams number of streams, at least 1
   * @param positions positions in tokens from the start of the text, each at least {@code steps}
   * @return the results by ascending position
   * @throws IllegalArgumentException if a number is too small
   */
  public List<Result> run(int streams, int... positions) {
    int[] ends = Arrays.stream(positions).sorted().toArray();
    for (int end : ends) {
      checkArgument(
          end >= steps,
          "a position must be at least steps (%s), since that many tokens before it are timed, but"
              + " is %s",
          steps,
          end);
    }
    SHARNN block = SHARNN.of(model);
    Sampler sampler = new Sampler();
    RandomGenerator random = new SplittableRandom(1);
    List<Result> results = new ArrayList<>();
    long[] tokens = new long[streams];
    double[] times = new double[steps]; // of the newest steps, in milliseconds
    try (SHARNNDecoder decoder =
        SHARNNDecoder.of(block, model.getNDManager(), streams, precision)) {
      try (SHARNNState start = block.zeroState(model.getNDManager(), 1)) {
        for (int i = 0; i < streams; i++) {
          decoder.add(start);
        }
      }
      int position = 0;
      for (int end : ends) {
        for (; position < end; position++) {
          long start = System.nanoTime();
          float[][] logits = decoder.next(tokens);
          for (int i = 0; i < streams; i++) {
            tokens[i] = sampler.sample(logits[i], random);
          }
          times[position % steps] = (System.nanoTime() - start) / 1e6;
        }
        double rate = 1000 * streams * (steps / Arrays.stream(times).sum());
        results.add(new Result(streams, end, Quantiles.median().compute(times), rate));
      }
    }
    return results;
  }
}
