package io.github.sharnn.vocabulary;

/** Tokens on their way back into a text, one by one. For one thread. */
@FunctionalInterface
public interface TokenDecoder {

  /**
   * Takes the next token.
   *
   * @param token in [0, size)
   * @return the bytes that it adds to the text: none, a part of a character, or more
   * @throws IllegalArgumentException if the vocabulary has no such token
   */
  byte[] decode(int token);
}
