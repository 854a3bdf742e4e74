package io.github.sharnn.vocabulary;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;

/** A splitter of text into words and ends of lines. */
class WordScanner implements TokenEncoder {

  private static final char REPLACEMENT = '\uFFFD';

  private final Consumer<String> words;
  private final Runnable endsOfLines;
  private final ByteArrayOutputStream begun = new ByteArrayOutputStream(); // a word's first bytes
  private int gap; // bytes of white space before the word
  private boolean gapIsSpaces = true;
  private boolean firstInLine = true;
  private boolean inLine;
  private long lost;

  WordScanner(Consumer<String> words, Runnable endsOfLines) {
    this.words = words;
    this.endsOfLines = endsOfLines;
  }

  /** Tells whether decoding restores a word. */
  boolean isRestored(String word) {
    return true;
  }

  @Override
  public void write(byte[] text, int offset, int length) {
    int from = offset; // start of the word
    for (int i = offset; i < offset + length; i++) {
      if (WordCount.isSpace(text[i])) {
        endWord(text, from, i);
        from = i + 1;
        if (text[i] == '\n') {
          endLine();
        } else {
          gap++;
          gapIsSpaces &= text[i] == ' ';
          inLine = true;
        }
      }
    }
    if (from < offset + length) {
      begun.write(text, from, offset + length - from);
      inLine = true;
    }
  }

  private void endWord(byte[] text, int from, int to) {
    int length = begun.size() + to - from;
    if (length == 0) {
      return;
    }
    byte[] bytes = text;
    int start = from;
    if (begun.size() > 0) {
      begun.write(text, from, to - from);
      bytes = begun.toByteArray();
      start = 0;
      begun.reset();
    }
    String word = new String(bytes, start, length, StandardCharsets.UTF_8);
    words.accept(word);
    boolean malformed =
        word.indexOf(REPLACEMENT) >= 0
            && !Arrays.equals(
                word.getBytes(StandardCharsets.UTF_8),
                Arrays.copyOfRange(bytes, start, start + length));
    if (malformed || !isRestored(word)) {
      lost += length;
    }
    if (!gapIsSpaces || gap != (firstInLine ? 0 : 1)) {
      lost += gap;
    }
    gap = 0;
    gapIsSpaces = true;
    firstInLine = false;
    inLine = true;
  }

  private void endLine() {
    lost += gap;
    gap = 0;
    gapIsSpaces = true;
    endsOfLines.run();
    firstInLine = true;
    inLine = false;
  }

  @Override
  public void flush() {
    endWord(new byte[0], 0, 0);
  }

  @Override
  public void end() {
    flush();
    if (inLine) {
      endLine();
    }
  }

  @Override
  public long lostBytes() {
    return lost;
  }
}
