package io.github.sharnn.tokenizers;

import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The pre-tokenizer {@code ByteLevel} of {@code tokenizer.json}. It spells bytes as visible
 * characters and cuts a text into words. Pairs are merged only within a word.
 */
final class ByteLevel {

  static final int BYTES = 256;

  private static final String CHARACTERS = characters();
  private static final Pattern WORD =
      Pattern.compile(
          "'(?:[stmd]|re|ve|ll)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          Pattern.UNICODE_CHARACTER_CLASS);

  private ByteLevel() {}

  private static String characters() {
    StringBuilder characters = new StringBuilder();
    char next = BYTES;
    for (int value = 0; value < BYTES; value++) {
      boolean visible =
          (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xFF && value != 0xAD);
      characters.append(visible ? (char) value : next++);
    }
    return characters.toString();
  }

  /** Returns the character that stands for a byte. */
  static char character(int value) {
    return CHARACTERS.charAt(value);
  }

  /** Returns the byte that a character stands for, or -1. */
  static int value(char character) {
    return CHARACTERS.indexOf(character);
  }

  /**
   * Cuts a text as the pattern of {@code ByteLevel} does. A piece is a contraction such as {@code
   * 've}, or a run of letters, numbers or other characters with at most one space before it, or
   * white space. If text follows the white space, its last character belongs to the next piece.
   * Characters newer than Java's version of Unicode count as other characters.
   */
  static void cut(CharSequence text, Consumer<String> pieces) {
    Matcher words = WORD.matcher(text);
    while (words.find()) {
      pieces.accept(words.group());
    }
  }
}
