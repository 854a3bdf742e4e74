package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.Comparator;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Draws a token from logits:
 *
 * <pre>{@code
 * p = softmax(logits / temperature);  keep the topK most probable;  keep the nucleus of them;  renormalize
 * }</pre>
 *
 * <p>The nucleus is the smallest set of most probable tokens whose share of what top-k left reaches
 * {@code topP}; it always holds the first. Between equal logits the lower token ranks higher, so
 * exactly {@code topK} tokens are left and top-k 1 is argmax. Computed in double precision.
 *
 * <p>Paper: Holtzman et al., arXiv:1904.09751 (nucleus sampling).
 *
 * @param temperature what logits are divided by, above 0 and finite; below 1 sharpens, 1 changes
 *     nothing
 * @param topK how many tokens to keep, at least 0; 0 keeps all
 * @param topP the probability that the kept tokens must reach, in (0, 1]; 1 keeps all
 */
public record Sampler(float temperature, int topK, float topP) {

  /**
   * Checks every option.
   *
   * @param temperature above 0 and finite
   * @param topK at least 0
   * @param topP in (0, 1]
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public Sampler {
    checkArgument(
        temperature > 0 && Float.isFinite(temperature),
        "temperature must be above 0 and finite, but is %s: for the most probable token set topK to"
            + " 1",
        temperature);
    checkArgument(
        topK >= 0, "topK must be at least 0, but is %s: to keep every token set it to 0", topK);
    checkArgument(
        topP > 0 && topP <= 1,
        "topP must be above 0 and at most 1, but is %s: to keep every token set it to 1",
        topP);
  }

  /** Samples from the model's own distribution: temperature 1, no top-k, no top-p. */
  public Sampler() {
    this(1, 0, 1);
  }

  /**
   * Computes the distribution that tokens are drawn from.
   *
   * @param logits V logits; minus infinity rules a token out
   * @return V probabilities that sum to 1, 0 for every token that was filtered out
   * @throws IllegalArgumentException if there are no logits, one is NaN or plus infinity, or all
   *     are minus infinity
   */
  public double[] probabilities(float[] logits) {
    double max = max(logits);
    double[] weights = new double[logits.length];
    for (int token = 0; token < logits.length; token++) {
      weights[token] = Math.exp((logits[token] - max) / temperature);
    }
    if (topK > 0 || topP < 1) {
      filter(logits, weights);
    }
    double total = sum(weights);
    for (int token = 0; token < weights.length; token++) {
      weights[token] /= total;
    }
    return weights;
  }

  /**
   * Draws one token.
   *
   * @param logits V logits, as for {@link #probabilities}
   * @param random gives one double for each draw
   * @return the token, in [0, V)
   * @throws IllegalArgumentException as {@link #probabilities} does
   */
  public int sample(float[] logits, RandomGenerator random) {
    double[] probabilities = probabilities(logits);
    double left = random.nextDouble();
    int drawn = 0;
    for (int token = 0; token < probabilities.length; token++) {
      if (probabilities[token] > 0) {
        drawn = token; // rounding may leave a rest after the last: that token takes it
        left -= probabilities[token];
        if (left < 0) {
          break;
        }
      }
    }
    return drawn;
  }

  /** Sets the weights outside top-k and the nucleus to 0. */
  private void filter(float[] logits, double[] weights) {
    // ranked by logit, since far below the maximum different logits share the weight 0
    int[] ranked =
        IntStream.range(0, logits.length)
            .boxed()
            .sorted(Comparator.comparingDouble(token -> -logits[token]))
            .mapToInt(Integer::intValue)
            .toArray();
    int kept = topK == 0 ? ranked.length : Math.min(topK, ranked.length);
    if (topP < 1) {
      double reach = 0;
      for (int rank = 0; rank < kept; rank++) {
        reach += weights[ranked[rank]];
      }
      reach *= topP;
      double reached = weights[ranked[0]];
      int nucleus = 1;
      while (nucleus < kept && reached < reach) {
        reached += weights[ranked[nucleus++]];
      }
      kept = nucleus;
    }
    for (int rank = kept; rank < ranked.length; rank++) {
      weights[ranked[rank]] = 0;
    }
  }

  private static double max(float[] logits) {
    double max = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      checkArgument(
          logit < Float.POSITIVE_INFINITY,
          "logits must be numbers below infinity, but one is %s: check the weights for divergence or"
              + " overflow",
          logit);
      max = Math.max(max, logit);
    }
    checkArgument(
        max > Double.NEGATIVE_INFINITY,
        "logits must hold a finite number, but none of the %s does: at least one token must be"
            + " possible",
        logits.length);
    return max;
  }

  private static double sum(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum;
  }
}
