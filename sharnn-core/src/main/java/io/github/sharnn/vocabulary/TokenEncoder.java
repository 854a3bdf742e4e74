package io.github.sharnn.vocabulary;

/**
 * An encoder of one text, in pieces of any size, for one thread. It emits a token as soon as the
 * bytes that follow can't change it.
 */
public interface TokenEncoder {

  /**
   * Encodes the next bytes of the text.
   *
   * @param text holds the bytes
   * @param offset the index of the first byte
   * @param length the number of bytes
   */
  void write(byte[] text, int offset, int length);

  /**
   * Emits the tokens of all bytes written, as if a token ended here. The text may go on. A prompt
   * ends like this.
   */
  void flush();

  /** Ends the text. A vocabulary with a token for the end of a line ends the last line too. */
  default void end() {
    flush();
  }

  /**
   * {@return how many bytes so far {@link TextVocabulary#decode} does not restore, -1 if unknown}
   */
  long lostBytes();
}
