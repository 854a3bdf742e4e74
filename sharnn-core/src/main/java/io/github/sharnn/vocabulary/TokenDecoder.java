package io.github.sharnn.vocabulary;

/** A decoder of one text, token by token, for one thread. */
@FunctionalInterface
public interface TokenDecoder {

  /**
   * Decodes the next token.
   *
   * @param token in [0, size)
   * @return the bytes that the token adds to the text: none, a part of a character, or more
   * @throws IllegalArgumentException if the vocabulary has no such token
   */
  byte[] decode(int token);
}
