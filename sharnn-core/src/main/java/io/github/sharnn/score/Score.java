package io.github.sharnn.score;

import java.util.List;

/**
 * How a model predicted a text.
 *
 * @param bytes one for each byte of the text, in order
 * @param totals their sums
 */
public record Score(List<ByteScore> bytes, Totals totals) {

  /**
   * Copies the list.
   *
   * @param bytes one for each byte of the text, in order
   * @param totals their sums
   */
  public Score {
    bytes = List.copyOf(bytes);
  }

  /**
   * Adds up.
   *
   * @param bytes one for each byte of the text, in order
   * @return the score
   */
  static Score of(List<ByteScore> bytes) {
    Totals totals = Totals.NONE;
    for (ByteScore next : bytes) {
      totals = totals.plus(next);
    }
    return new Score(bytes, totals);
  }

  /**
   * What a text costs in all. The means of a text without bytes are NaN.
   *
   * @param bytes number of bytes
   * @param nats sum of the bytes' -ln p
   * @param entropy sum of the predictions' entropies in nats: what the model expected {@code nats}
   *     to be
   */
  public record Totals(long bytes, double nats, double entropy) {

    static final Totals NONE = new Totals(0, 0, 0);

    Totals plus(ByteScore next) {
      return new Totals(bytes + 1, nats - next.logProbability(), entropy + next.entropy());
    }

    /**
     * Returns the sum of the bytes' -log2 p: the size to which an ideal coder compresses the text.
     *
     * @return bits
     */
    public double bits() {
      return nats / Math.log(2);
    }

    /**
     * Returns the mean of the bytes' -log2 p.
     *
     * @return bits per byte
     */
    public double bitsPerByte() {
      return bits() / bytes;
    }

    /**
     * Returns the perplexity of a byte.
     *
     * @return {@code exp(nats / bytes)}
     */
    public double perplexity() {
      return Math.exp(nats / bytes);
    }
  }
}
