package io.github.sharnn.vocabulary;

/**
 * One text on its way into tokens, in pieces of any size. A token is handed on as soon as what
 * follows can't change it. For one thread.
 */
public interface TokenEncoder {

  /**
   * Takes the next bytes of the text.
   *
   * @param text holds them
   * @param offset of the first
   * @param length how many
   */
  void write(byte[] text, int offset, int length);

  /**
   * Hands on the tokens of all that was written, as if a border of tokens were here. The text may
   * go on: this is how a prompt ends.
   */
  void flush();

  /** Ends the text: {@link #flush}, and the end of a last line that has no newline. */
  void end();

  /**
   * Returns how many bytes so far {@link TextVocabulary#decode} doesn't bring back.
   *
   * @return bytes of the text, or -1 where the vocabulary can't tell
   */
  long lostBytes();
}
