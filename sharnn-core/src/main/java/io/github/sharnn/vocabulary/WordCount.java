package io.github.sharnn.vocabulary;

/**
 * Counts the words of a text as WikiText and Penn Treebank do: what stands between ASCII white
 * space, and one {@code <eos>} for each line. A last line without a newline counts as one.
 */
public final class WordCount {

  private long words;
  private boolean inWord;
  private boolean inLine;

  /** Starts a text. */
  public WordCount() {
    // counts from 0
  }

  /**
   * Takes the next bytes of the text.
   *
   * @param text holds them
   * @param offset of the first
   * @param length how many
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

  /**
   * Returns the number of words and lines, as if the text ended here.
   *
   * @return how many
   */
  public long words() {
    return inLine ? words + 1 : words;
  }

  static boolean isSpace(byte value) {
    return value == ' ' || (value >= '\t' && value <= '\r');
  }
}
