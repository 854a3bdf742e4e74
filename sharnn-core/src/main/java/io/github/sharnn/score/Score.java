package io.github.sharnn.score;

import io.github.sharnn.vocabulary.Perplexity;
import java.io.Serializable;
import java.util.List;

/**
 * The score of a text by a model.
 *
 * @param tokens the scores of the text's tokens, in order
 * @param totals their sums and the most surprising tokens
 * @serial exclude
 */
public record Score(List<TokenScore> tokens, Totals totals) implements Serializable {

  /**
   * A token that the model did not expect.
   *
   * @param place the index of the token in the text, from 0; for a model over bytes, the byte's
   *     offset
   * @param token the token
   * @param bits -log2 p of the token
   * @serial exclude
   */
  public record Surprise(long place, int token, double bits) implements Serializable {}

  /**
   * The sums over a text, and its most surprising tokens. The means of a text without tokens are
   * NaN.
   *
   * <p>A token's surprise is -ln p in nats, or -log2 p in bits. If the model were the source of the
   * text, the surprise of a token would have the prediction's entropy as its mean and the
   * prediction's variance as its variance. {@link #excessBits}, {@link #excessBitsPerByte} and
   * {@link #zScore} compare the text with this expectation. They therefore do not call a text odd
   * only because its tokens are hard to predict, such as random identifiers.
   *
   * @param perplexity the text's figures per byte, token and word, as in training and evaluation,
   *     but with every token predicted
   * @param entropy the sum of the predictions' entropies in nats, which is the expected sum of -ln
   *     p
   * @param variance the sum of the variances of -ln p under the predictions, in square nats
   * @param top the tokens with the greatest surprise, the greatest first; of equal ones, the first
   *     in the text; as many as {@link Scorer.Builder#topSurprises} says, or all tokens of a
   *     shorter text
   * @serial exclude
   */
  public record Totals(Perplexity perplexity, double entropy, double variance, List<Surprise> top)
      implements Serializable {

    private static final double NATS_PER_BIT = Math.log(2);

    /**
     * Copies the list.
     *
     * @param perplexity the figures
     * @param entropy in nats
     * @param variance in square nats
     * @param top the greatest surprise first
     */
    public Totals {
      top = List.copyOf(top);
    }

    /**
     * {@return the sum of -log2 p over the tokens, which is the length of an ideal coder's output}
     */
    public double bits() {
      return perplexity.nats() / NATS_PER_BIT;
    }

    /**
     * {@return the bits that the tokens cost for each byte of the text} A text with a high value is
     * an anomaly to the model.
     */
    public double bitsPerByte() {
      return perplexity.bitsPerByte();
    }

    /** {@return the surprise minus the entropy: the bits beyond those that the model expected} */
    public double excessBits() {
      return (perplexity.nats() - entropy) / NATS_PER_BIT;
    }

    /** {@return {@link #excessBits} for each byte of the text} */
    public double excessBitsPerByte() {
      return excessBits() / perplexity.predictedBytes();
    }

    /** {@return the variance of {@link #bits} under the model's predictions, in square bits} */
    public double varianceInBits() {
      return variance / (NATS_PER_BIT * NATS_PER_BIT);
    }

    /**
     * {@return the surprise minus the entropy, in standard deviations of the surprise} The value is
     * NaN or infinite if the model is certain of every token.
     */
    public double zScore() {
      return (perplexity.nats() - entropy) / Math.sqrt(variance);
    }

    /** {@return the greatest surprise of a token in bits, 0 for a text without tokens} */
    public double greatestSurprise() {
      return top.isEmpty() ? 0 : top.get(0).bits();
    }
  }
}
