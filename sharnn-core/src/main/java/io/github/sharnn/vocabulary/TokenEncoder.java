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
   * Emits the tokens of all bytes written so far, as if a token ended here, for example after a
   * prompt. The text may go on.
   */
  void flush();

  /** Ends the text. An end-of-line token, if there is one, follows an unfinished last line. */
  default void end() {
    flush();
  }

  /**
   * {@return the number of bytes so far that {@link TextVocabulary#decode} does not restore, -1 if
   * unknown}
   */
  long lostBytes();
}
