package io.github.sharnn.vocabulary;

/**
 * The cost of a text to a model, in the units of the original text: perplexity by token and by
 * word, and bits per byte. One forward pass gives all figures. Bits per byte compare any two models
 * whatever their vocabularies; perplexity by word compares with published figures for WikiText and
 * Penn Treebank.
 *
 * <p>An evaluation does not predict a text's first token, although {@link
 * io.github.sharnn.score.Scorer} does. So each count of units is reduced by the first token's
 * average share: {@code units * predicted / tokens}. For bytes that is the number of predicted
 * bytes.
 *
 * <p>Perplexity by token depends on how the vocabulary cuts the text, so it does not compare two
 * vocabularies. Perplexity by word does: it adds up all tokens of a word.
 *
 * @param nats the sum of -ln p over the predicted tokens
 * @param predicted the number of predicted tokens
 * @param units the length of the whole text
 */
public record Perplexity(double nats, long predicted, Units units) {

  private static final double NATS_PER_BIT = Math.log(2);
  private static final int BITS_PER_LOST_BYTE = 8;

  /**
   * The length of a text.
   *
   * @param bytes of the original text
   * @param tokens of the vocabulary, {@code <eos>} included
   * @param words between white space, plus one for each line, as {@link WordCount} counts
   * @param lostBytes the bytes that decoding does not restore, -1 if unknown; for a {@link
   *     WordVocabulary}, unknown words and white space other than a single space
   */
  public record Units(long bytes, long tokens, long words, long lostBytes) {}

  private double share(long count) {
    return count == units.tokens() ? predicted : (double) count * predicted / units.tokens();
  }

  /**
   * Returns the number of bytes of the predicted tokens.
   *
   * @return the text's bytes without the first token's share
   */
  public double predictedBytes() {
    return share(units.bytes());
  }

  /**
   * Returns the bits that the tokens cost for each byte of the original text. This is too low if
   * the tokens lose bytes: see {@link #bitsPerByteSpelled()}.
   *
   * @return bits per byte
   */
  public double bitsPerByte() {
    return nats / share(units.bytes()) / NATS_PER_BIT;
  }

  /**
   * Returns {@link #bitsPerByte()} plus 8 bits for each byte that the tokens lose: an upper bound
   * for a lossy vocabulary.
   *
   * @return bits per byte, or NaN if the lost bytes are unknown
   */
  public double bitsPerByteSpelled() {
    if (units.lostBytes() < 0) {
      return Double.NaN;
    }
    return bitsPerByte() + BITS_PER_LOST_BYTE * (double) units.lostBytes() / units.bytes();
  }

  /**
   * Returns the perplexity by token.
   *
   * @return {@code exp(nats / predicted)}
   */
  public double ofToken() {
    return Math.exp(nats / predicted);
  }

  /**
   * Returns the perplexity by word, {@code <eos>} included.
   *
   * @return {@code exp(nats / words)}
   */
  public double ofWord() {
    return Math.exp(nats / share(units.words()));
  }
}
