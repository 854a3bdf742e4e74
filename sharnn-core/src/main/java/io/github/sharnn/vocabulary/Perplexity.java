package io.github.sharnn.vocabulary;

/**
 * What a model needed for a text, by each unit of the original text. One forward pass gives all
 * figures, so they are comparable whatever the vocabulary: bits per byte between any two models,
 * the perplexity of a word with figures published for WikiText and Penn Treebank.
 *
 * <p>In an evaluation a text's first token is not predicted; {@link io.github.sharnn.score.Scorer}
 * predicts all. So each count of units is the text's, less the first token's average share of it:
 * {@code units * predicted / tokens}. For bytes that is the number of predicted bytes.
 *
 * <p>The perplexity of a token depends on how the vocabulary cuts the text, and says nothing
 * between two vocabularies. Subwords also let a model see where the next word has begun, within the
 * word; the perplexity of a word is right for that, since it adds up all of a word's tokens.
 *
 * @param nats sum of -ln p over the predicted tokens
 * @param predicted number of predicted tokens
 * @param units of the whole text
 */
public record Perplexity(double nats, long predicted, Units units) {

  private static final double NATS_PER_BIT = Math.log(2);
  private static final int BITS_PER_LOST_BYTE = 8;

  /**
   * The length of a text.
   *
   * @param bytes of the original text
   * @param tokens of the vocabulary, {@code <eos>} included
   * @param words between white space, and one for each line, as {@link WordCount} counts
   * @param lostBytes what the tokens don't bring back, -1 where unknown: with {@link
   *     WordVocabulary}, words that are not in the vocabulary and white space other than a single
   *     space
   */
  public record Units(long bytes, long tokens, long words, long lostBytes) {}

  private double share(long count) {
    return count == units.tokens() ? predicted : (double) count * predicted / units.tokens();
  }

  /**
   * Returns the number of bytes that the predicted tokens stand for.
   *
   * @return the text's bytes, less the first token's share
   */
  public double predictedBytes() {
    return share(units.bytes());
  }

  /**
   * Returns the bits that the tokens cost for each byte of the original text. Where the tokens lose
   * some of it this is too low: see {@link #bitsPerByteSpelled()}.
   *
   * @return bits per byte
   */
  public double bitsPerByte() {
    return nats / share(units.bytes()) / NATS_PER_BIT;
  }

  /**
   * Returns {@link #bitsPerByte()} with all that the tokens lose spelled out beside them, at 8 bits
   * a byte: what a lossy vocabulary's model needs at most for the text itself.
   *
   * @return bits per byte, or NaN where what is lost is unknown
   */
  public double bitsPerByteSpelled() {
    if (units.lostBytes() < 0) {
      return Double.NaN;
    }
    return bitsPerByte() + BITS_PER_LOST_BYTE * (double) units.lostBytes() / units.bytes();
  }

  /**
   * Returns the perplexity of a token.
   *
   * @return {@code exp(nats / predicted)}
   */
  public double ofToken() {
    return Math.exp(nats / predicted);
  }

  /**
   * Returns the perplexity of a word, {@code <eos>} included.
   *
   * @return {@code exp(nats / words)}
   */
  public double ofWord() {
    return Math.exp(nats / share(units.words()));
  }
}
