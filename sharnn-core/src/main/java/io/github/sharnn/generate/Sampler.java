package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Floats;
import java.io.Serializable;
import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * A sampler that draws a token from logits, with temperature, top-k, top-p (nucleus sampling),
 * min-p and a repetition penalty, in this order:
 *
 * <pre>{@code
 * logits of recent tokens: x / repetitionPenalty if x > 0, else x * repetitionPenalty
 * p = softmax(logits / temperature)
 * keep the topK most probable; keep their nucleus; keep p >= minP * max p; renormalize
 * }</pre>
 *
 * <p>The nucleus is the smallest set of most probable tokens whose probabilities sum to at least
 * {@code topP} times the sum that top-k keeps. It holds at least one token. If two tokens have
 * equal logits, the lower token ranks higher. Exactly {@code topK} tokens are therefore left, and
 * top-k 1 is argmax. Sums are in double precision. The time is linear in the number of tokens.
 *
 * <p>Papers: Holtzman et al., arXiv:1904.09751 (nucleus sampling); Nguyen et al., arXiv:2407.01082
 * (min-p); Keskar et al., arXiv:1909.05858 (repetition penalty; negative logits are multiplied, as
 * usual, since division would raise them).
 *
 * @param temperature divides the logits; above 0 and finite; below 1 sharpens
 * @param topK how many tokens to keep, at least 0; 0 keeps all
 * @param topP the total probability that the kept tokens reach, in (0, 1]; 1 keeps all
 * @param minP the least probability of a kept token, as a share of the most probable token's, in
 *     [0, 1]; 0 keeps all
 * @param repetitionPenalty lowers the logits of recent tokens, above 0 and finite; 1 changes
 *     nothing, below 1 raises them
 * @serial exclude
 */
public record Sampler(float temperature, int topK, float topP, float minP, float repetitionPenalty)
    implements Serializable {

  private static final int SORTED = 64; // tokens to sort at first; most nuclei are smaller
  private static final int GROWTH = 8;

  /**
   * Checks every option.
   *
   * @param temperature above 0 and finite
   * @param topK at least 0
   * @param topP in (0, 1]
   * @param minP in [0, 1]
   * @param repetitionPenalty above 0 and finite
   * @throws IllegalArgumentException if an option breaks its rule
   */
  public Sampler {
    checkArgument(
        temperature > 0 && Float.isFinite(temperature),
        "temperature must be above 0 and finite, but is %s: set topK to 1 for the most probable"
            + " token",
        temperature);
    checkArgument(
        topK >= 0, "topK must be at least 0, but is %s: set it to 0 to keep every token", topK);
    checkArgument(
        topP > 0 && topP <= 1,
        "topP must be above 0 and at most 1, but is %s: set it to 1 to keep every token",
        topP);
    checkArgument(
        minP >= 0 && minP <= 1,
        "minP must be between 0 and 1, but is %s: set it to 0 to keep every token",
        minP);
    checkArgument(
        repetitionPenalty > 0 && Float.isFinite(repetitionPenalty),
        "repetitionPenalty must be above 0 and finite, but is %s: set it to 1 for no penalty",
        repetitionPenalty);
  }

  /**
   * Creates a sampler without min-p and repetition penalty.
   *
   * @param temperature above 0 and finite
   * @param topK at least 0
   * @param topP in (0, 1]
   * @throws IllegalArgumentException if an option breaks its rule
   */
  public Sampler(float temperature, int topK, float topP) {
    this(temperature, topK, topP, 0, 1);
  }

  /** Creates a sampler of the model's own distribution. */
  public Sampler() {
    this(1, 0, 1);
  }

  /**
   * Computes the distribution to draw from.
   *
   * @param logits V logits; minus infinity excludes a token
   * @param recent the tokens to penalize, each in [0, V), in any order; repeats are ignored
   * @return V probabilities that sum to 1, 0 for each excluded token
   * @throws IllegalArgumentException if there are no logits, one is NaN or plus infinity, all are
   *     minus infinity, or a recent token lies outside the vocabulary
   */
  public double[] probabilities(float[] logits, int... recent) {
    double[] weights = new double[logits.length];
    double total = weigh(logits, recent, weights);
    for (int token = 0; token < weights.length; token++) {
      weights[token] /= total;
    }
    return weights;
  }

  /** Fills in the probabilities times a factor, 1 for the most probable token; returns the sum. */
  private double weigh(float[] logits, int[] recent, double[] weights) {
    float[] penalized = penalize(logits, recent);
    double max = max(penalized);
    for (int token = 0; token < logits.length; token++) {
      weights[token] = Math.exp((penalized[token] - max) / temperature);
    }
    if (topK > 0 || topP < 1) {
      filter(penalized, weights);
    }
    double total = 0;
    for (int token = 0; token < weights.length; token++) {
      if (weights[token] < minP) {
        weights[token] = 0;
      }
      total += weights[token];
    }
    return total;
  }

  /**
   * Draws one token.
   *
   * @param logits V logits, as for {@link #probabilities}
   * @param random gives one double for each draw
   * @param recent the tokens to penalize, as for {@link #probabilities}
   * @return the token, in [0, V)
   * @throws IllegalArgumentException as {@link #probabilities} does
   */
  public int sample(float[] logits, RandomGenerator random, int... recent) {
    double[] weights = new double[logits.length];
    double total = weigh(logits, recent, weights);
    double left = random.nextDouble();
    int drawn = 0;
    for (int token = 0; token < weights.length && left >= 0; token++) {
      double probability = weights[token] / total;
      if (probability > 0) {
        drawn = token; // rounding may leave a rest, which goes to the last token
        left -= probability;
      }
    }
    return drawn;
  }

  private float[] penalize(float[] logits, int[] recent) {
    if (recent.length == 0) {
      return logits;
    }
    float[] penalized = logits.clone();
    for (int token : recent) {
      checkArgument(
          token >= 0 && token < logits.length,
          "recent tokens must lie between 0 and %s, the index of the last logit, but one is %s",
          logits.length - 1,
          token);
      float logit = logits[token];
      if (Float.isFinite(logit)) { // and stays finite under any penalty
        float scaled = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
        penalized[token] = Floats.constrainToRange(scaled, -Float.MAX_VALUE, Float.MAX_VALUE);
      }
    }
    return penalized;
  }

  /** Sets the weights outside top-k and the nucleus to 0. */
  private void filter(float[] logits, double[] weights) {
    long[] ranked = new long[logits.length];
    for (int token = 0; token < logits.length; token++) {
      ranked[token] = rank(logits[token], token);
    }
    int kept = topK == 0 ? ranked.length : Math.min(topK, ranked.length);
    select(ranked, 0, kept, ranked.length);
    if (topP < 1) {
      kept = nucleus(ranked, kept, weights);
    }
    for (int rank = kept; rank < ranked.length; rank++) {
      weights[(int) ranked[rank]] = 0;
    }
  }

  /** Moves the nucleus of the first kept tokens to the front, in order, and returns its size. */
  private int nucleus(long[] ranked, int kept, double[] weights) {
    double reach = 0;
    for (int rank = 0; rank < kept; rank++) {
      reach += weights[(int) ranked[rank]];
    }
    reach *= topP;
    double reached = 0;
    int sorted = 0;
    int nucleus = 0;
    do {
      if (nucleus == sorted) {
        int more = Math.min(kept, Math.max(SORTED, GROWTH * sorted));
        select(ranked, sorted, more, kept);
        Arrays.sort(ranked, sorted, more);
        sorted = more;
      }
      reached += weights[(int) ranked[nucleus++]];
    } while (nucleus < kept && reached < reach);
    return nucleus;
  }

  /**
   * Returns a sort key: lower for a more probable token, with the token in its low bits. The key
   * holds the logit and not the weight, because the weights of very low logits are all 0.
   */
  private static long rank(float logit, int token) {
    int bits = Float.floatToIntBits(logit);
    int ascending = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
    return (long) ~ascending << Integer.SIZE | token;
  }

  /** Moves the lowest numbers of [from, end) to the places before {@code to}, by quickselect. */
  private static void select(long[] numbers, int from, int to, int end) {
    int low = from;
    int high = to == end ? from : end - 1; // all of them need no selection
    while (low < high) {
      long pivot = numbers[(low + high) >>> 1];
      int left = low;
      int right = high;
      while (left <= right) {
        while (numbers[left] < pivot) {
          left++;
        }
        while (numbers[right] > pivot) {
          right--;
        }
        if (left <= right) {
          long number = numbers[left];
          numbers[left++] = numbers[right];
          numbers[right--] = number;
        }
      }
      if (to - 1 <= right) {
        high = right;
      } else if (to - 1 >= left) {
        low = left;
      } else {
        return;
      }
    }
  }

  private static double max(float[] logits) {
    double max = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      max = Math.max(max, logit); // NaN if one is NaN
    }
    checkArgument(
        max < Double.POSITIVE_INFINITY,
        "logits must be numbers below infinity, but one is %s: check the weights for divergence or"
            + " overflow",
        max);
    checkArgument(
        max > Double.NEGATIVE_INFINITY,
        "logits must hold a finite number, but none of the %s does: at least one token must be"
            + " possible",
        logits.length);
    return max;
  }
}
