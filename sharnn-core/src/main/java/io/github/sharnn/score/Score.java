package io.github.sharnn.score;

import io.github.sharnn.vocabulary.Perplexity;
import java.util.List;

/**
 * How a model predicted a text.
 *
 * @param tokens one for each token of the text, in order
 * @param totals their sums
 */
public record Score(List<TokenScore> tokens, Totals totals) {

  /**
   * Copies the list.
   *
   * @param tokens one for each token of the text, in order
   * @param totals their sums
   */
  public Score {
    tokens = List.copyOf(tokens);
  }

  /** Adds up. */
  static Score of(List<TokenScore> tokens, Perplexity.Units units) {
    Sums sums = new Sums();
    tokens.forEach(sums::add);
    return new Score(tokens, sums.totals(units));
  }

  /** Totals of the tokens so far. */
  static final class Sums {

    private long tokens;
    private double nats;
    private double entropy;

    void add(TokenScore next) {
      tokens++;
      nats -= next.logProbability();
      entropy += next.entropy();
    }

    /** Returns the totals of a text, all of whose tokens were predicted. */
    Totals totals(Perplexity.Units units) {
      return new Totals(new Perplexity(nats, tokens, units), entropy);
    }
  }

  /**
   * What a text costs in all. The means of a text without tokens are NaN.
   *
   * @param perplexity of the text by byte, token and word, as training and evaluation have it;
   *     every token is predicted
   * @param entropy sum of the predictions' entropies in nats: what the model expected {@link #nats}
   *     to be
   */
  public record Totals(Perplexity perplexity, double entropy) {

    /**
     * Returns the length of the text.
     *
     * @return bytes
     */
    public long bytes() {
      return perplexity.units().bytes();
    }

    /**
     * Returns the sum of the tokens' -ln p.
     *
     * @return nats
     */
    public double nats() {
      return perplexity.nats();
    }

    /**
     * Returns the sum of the tokens' -log2 p: the size to which an ideal coder compresses the text,
     * or what the tokens keep of it.
     *
     * @return bits
     */
    public double bits() {
      return nats() / Math.log(2);
    }

    /**
     * Returns the bits that the tokens cost for each byte of the text.
     *
     * @return bits per byte
     */
    public double bitsPerByte() {
      return perplexity.bitsPerByte();
    }
  }
}
