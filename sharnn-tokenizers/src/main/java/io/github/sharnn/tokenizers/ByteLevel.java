package io.github.sharnn.tokenizers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * The pre-tokenizer {@code ByteLevel} of {@code tokenizer.json}. It spells bytes as visible
 * characters and cuts a text into words. Pairs are merged only within a word.
 *
 * <p>Letters, numbers and white space are those of the native library. They do not depend on the
 * version of Java.
 */
final class ByteLevel {

  static final int BYTES = 256;

  private static final String CHARACTERS = characters();
  private static final byte OTHER = 0;
  private static final byte SPACE = 'S';
  private static final byte[] CLASSES = classes(); // by code point; those beyond it are OTHER

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

  private static byte[] classes() {
    byte[] classes = {};
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                ByteLevel.class.getResourceAsStream("unicode-classes.txt"),
                StandardCharsets.UTF_8))) {
      lines.readLine(); // the comment
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] range = line.split(" ");
        int end = Integer.parseInt(range[2], 16) + 1;
        classes = classes.length < end ? Arrays.copyOf(classes, Math.max(end, 0x40000)) : classes;
        Arrays.fill(classes, Integer.parseInt(range[1], 16), end, (byte) range[0].charAt(0));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return classes;
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
   */
  static void cut(String text, Consumer<String> pieces) {
    for (int from = 0; from < text.length(); ) {
      int to = end(text, from);
      pieces.accept(text.substring(from, to));
      from = to;
    }
  }

  private static int end(String text, int from) {
    int contraction = contraction(text, from);
    if (contraction > 0) {
      return from + contraction;
    }
    boolean space = text.charAt(from) == ' ' && from + 1 < text.length();
    int start = space && classAt(text, from + 1) != SPACE ? from + 1 : from;
    byte kind = classAt(text, start);
    int end = start;
    int last = start; // the start of the last character
    while (end < text.length() && classAt(text, end) == kind) {
      last = end;
      end += Character.charCount(text.codePointAt(end));
    }
    return kind == SPACE && end < text.length() && last > start ? last : end;
  }

  private static byte classAt(String text, int at) {
    int character = text.codePointAt(at);
    return character < CLASSES.length ? CLASSES[character] : OTHER;
  }

  /** Returns the length of a contraction, or 0. */
  private static int contraction(String text, int at) {
    if (text.charAt(at) != '\'' || at + 1 == text.length()) {
      return 0;
    }
    if ("stmd".indexOf(text.charAt(at + 1)) >= 0) {
      return 2;
    }
    boolean two =
        text.startsWith("re", at + 1)
            || text.startsWith("ve", at + 1)
            || text.startsWith("ll", at + 1);
    return two ? 3 : 0;
  }
}
