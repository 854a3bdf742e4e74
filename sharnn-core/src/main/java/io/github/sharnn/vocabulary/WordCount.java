package io.github.sharnn.vocabulary;

/**
 * A count of words as in WikiText and Penn Treebank: the words between ASCII white space, plus one
 * {@code <eos>} for each line, even if the last line has no newline.
 */
public final class WordCount {

  private long words;
  private boolean inWord;
  private boolean inLine;

  /** Creates a count of 0. */
  public WordCount() {}

  /**
   * Counts the next bytes of the text.
   *
   * @param text holds the bytes
   * @param offset the index of the first byte
   * @param length the number of bytes
   */
  public void write(byte[] text, int offset, int length) {
    for (int i = offset; i < offset + length; i++) {
      byte next = text[i];
      inLine = next != '\n';
      if (!inLine) {
        words++;
        inWord = false;
      } else if (isSpace(next)) {
        inWord = false;
      } else if (!inWord) {
        words++;
        inWord = true;
      }
    }
  }

  /** {@return the number of words and lines, as if the text ended here} */
  public long words() {
    return inLine ? words + 1 : words;
  }

  static boolean isSpace(int value) {
    return value == ' ' || (value >= '\t' && value <= '\r');
  }
}
