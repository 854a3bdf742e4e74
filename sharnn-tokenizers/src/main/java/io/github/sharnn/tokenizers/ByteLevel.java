package io.github.sharnn.tokenizers;

import java.util.function.Consumer;

/**
 * The pre-tokenizer {@code ByteLevel} of {@code tokenizer.json}. It spells bytes as visible
 * characters and cuts a text into words, within which pairs are merged.
 */
final class ByteLevel {

  static final int BYTES = 256;

  private static final char[] CHARACTERS = new char[BYTES];
  private static final String[] CONTRACTIONS = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  private static final int LETTER = 0;
  private static final int NUMBER = 1;
  private static final int OTHER = 2;
  private static final int SPACE = 3;

  static {
    char next = BYTES;
    for (int value = 0; value < BYTES; value++) {
      boolean visible =
          (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xFF && value != 0xAD);
      CHARACTERS[value] = visible ? (char) value : next++;
    }
  }

  private ByteLevel() {}

  /** Returns the character that stands for a byte. */
  static char character(int value) {
    return CHARACTERS[value];
  }

  /** Returns the byte that a character stands for, or -1. */
  static int value(char character) {
    if (character < BYTES && CHARACTERS[character] == character) {
      return character;
    }
    for (int value = 0; value < BYTES; value++) {
      if (CHARACTERS[value] == character) {
        return value;
      }
    }
    return -1;
  }

  /**
   * Cuts a text as the pattern of {@code ByteLevel} does. A piece is a contraction, or letters,
   * numbers or other characters with a space before them, or white space without its last character
   * if something follows. Characters newer than Java's Unicode count as other characters.
   */
  static void cut(CharSequence text, Consumer<String> pieces) {
    int at = 0;
    while (at < text.length()) {
      int end = end(text, at);
      pieces.accept(text.subSequence(at, end).toString());
      at = end;
    }
  }

  private static int end(CharSequence text, int at) {
    for (String contraction : CONTRACTIONS) {
      int end = at + contraction.length();
      if (end <= text.length() && contraction.contentEquals(text.subSequence(at, end))) {
        return end;
      }
    }
    int begin = text.charAt(at) == ' ' && at + 1 < text.length() ? at + 1 : at;
    int type = type(Character.codePointAt(text, begin));
    if (type == SPACE) {
      int end = runOf(SPACE, text, at);
      return end == text.length() || end == at + 1 ? end : end - 1;
    }
    return runOf(type, text, begin);
  }

  private static int runOf(int type, CharSequence text, int from) {
    int at = from;
    while (at < text.length()) {
      int next = Character.codePointAt(text, at);
      if (type(next) != type) {
        return at;
      }
      at += Character.charCount(next);
    }
    return at;
  }

  private static int type(int character) {
    if (isSpace(character)) {
      return SPACE;
    }
    return switch (Character.getType(character)) {
      case Character.UPPERCASE_LETTER,
          Character.LOWERCASE_LETTER,
          Character.TITLECASE_LETTER,
          Character.MODIFIER_LETTER,
          Character.OTHER_LETTER ->
          LETTER;
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
          NUMBER;
      default -> OTHER;
    };
  }

  /** Tells whether a character has Unicode's property White_Space, unchanged since version 6.3. */
  static boolean isSpace(int character) {
    return switch (character) {
      case ' ', 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 -> true;
      default ->
          (character >= '\t' && character <= '\r') || (character >= 0x2000 && character <= 0x200A);
    };
  }
}
