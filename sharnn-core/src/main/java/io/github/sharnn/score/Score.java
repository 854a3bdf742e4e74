package io.github.sharnn.score;

import io.github.sharnn.vocabulary.Perplexity;
import java.io.Serializable;
import java.util.List;

/**
 * The score of a text by a model.
 *
 * @param tokens the scores of the text's tokens, in order
 * @param totals their sums
 * @serial exclude
 */
public record Score(List<TokenScore> tokens, Totals totals) implements Serializable {

  /** The sums of the tokens so far. */
  static final class Sums {

    private long tokens;
    private double nats;
    private double entropy;

    void add(TokenScore next) {
      tokens++;
      nats -= next.logProbability();
      entropy += next.entropy();
    }

    Totals totals(Perplexity.Units units) {
      return new Totals(new Perplexity(nats, tokens, units), entropy);
    }
  }

  /**
   * The sums over a text. The means of a text without tokens are NaN.
   *
   * @param perplexity the text's figures per byte, token and word, as in training and evaluation,
   *     but with every token predicted
   * @param entropy the sum of the predictions' entropies, which is the expected sum of -ln p
   * @serial exclude
   */
  public record Totals(Perplexity perplexity, double entropy) implements Serializable {

    /**
     * {@return the sum of -log2 p over the tokens, which is the length of an ideal coder's output}
     */
    public double bits() {
      return perplexity.nats() / Math.log(2);
    }

    /**
     * {@return the bits that the tokens cost for each byte of the text} A text with a high value is
     * an anomaly to the model.
     */
    public double bitsPerByte() {
      return perplexity.bitsPerByte();
    }
  }
}
