package io.github.sharnn.vocabulary;

import java.io.Serializable;

/**
 * The figures of one evaluation: perplexity per token and per word, and bits per byte of the
 * original text. Bits per byte can be compared between any two models, even if their vocabularies
 * differ. Perplexity per word can be compared with published figures for WikiText and Penn
 * Treebank.
 *
 * <p>An evaluation does not predict a text's first token, although {@link
 * io.github.sharnn.score.Scorer} does. Each count of units is therefore reduced by one token's
 * average share, to {@code units * predicted / tokens}. In a byte model, this is the number of
 * predicted bytes.
 *
 * <p>Perplexity per token depends on how the vocabulary cuts the text. Do not compare it between
 * vocabularies. Perplexity per word can be compared, because it adds up all tokens of a word.
 *
 * @param nats the sum of -ln p over the predicted tokens
 * @param predicted the number of predicted tokens
 * @param units the length of the whole text
 * @serial exclude
 */
public record Perplexity(double nats, long predicted, Units units) implements Serializable {

  private static final double NATS_PER_BIT = Math.log(2);
  private static final int BITS_PER_LOST_BYTE = 8;

  /**
   * The length of a text.
   *
   * @param bytes the bytes of the original text
   * @param tokens the tokens of the vocabulary, including {@code <eos>}
   * @param words the words between white space, plus one for each line, as {@link WordCount} counts
   * @param lostBytes the bytes that decoding does not restore, -1 if unknown; for a {@link
   *     WordVocabulary}, unknown words and white space other than a single space
   * @serial exclude
   */
  public record Units(long bytes, long tokens, long words, long lostBytes)
      implements Serializable {}

  private double share(long count) {
    return count == units.tokens() ? predicted : (double) count * predicted / units.tokens();
  }

  /** {@return the number of bytes of the predicted tokens} */
  public double predictedBytes() {
    return share(units.bytes());
  }

  /**
   * {@return the bits that the tokens cost for each byte of the original text} The figure is too
   * low if the tokens lose bytes; use {@link #bitsPerByteSpelled()} then.
   */
  public double bitsPerByte() {
    return nats / share(units.bytes()) / NATS_PER_BIT;
  }

  /**
   * {@return an upper bound of the bits per byte for a lossy vocabulary: {@link #bitsPerByte()}
   * plus 8 bits for each byte that the tokens lose, or NaN if their number is unknown}
   */
  public double bitsPerByteSpelled() {
    double lost = units.lostBytes() < 0 ? Double.NaN : units.lostBytes();
    return bitsPerByte() + BITS_PER_LOST_BYTE * lost / units.bytes();
  }

  /** {@return the perplexity per token: {@code exp(nats / predicted)}} */
  public double ofToken() {
    return Math.exp(nats / predicted);
  }

  /** {@return the perplexity per word: {@code exp(nats / words)}, {@code <eos>} included} */
  public double ofWord() {
    return Math.exp(nats / share(units.words()));
  }
}
