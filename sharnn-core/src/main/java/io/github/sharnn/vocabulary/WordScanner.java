package io.github.sharnn.vocabulary;

import com.google.common.primitives.Bytes;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;

/** Splits a text into words and ends of lines. */
class WordScanner implements TokenEncoder {

  private static final char REPLACEMENT = '\uFFFD';

  private final Consumer<String> words;
  private final Runnable endsOfLines;
  private byte[] begun = {}; // of a word, in an earlier write
  private int gap; // white space bytes before the word
  private boolean gapIsSpaces = true;
  private boolean firstInLine = true;
  private boolean inLine;
  private long lost;

  WordScanner(Consumer<String> words, Runnable endsOfLines) {
    this.words = words;
    this.endsOfLines = endsOfLines;
  }

  /** Tells whether decoding a word's token gives the word. */
  boolean comesBack(String word) {
    return true;
  }

  @Override
  public void write(byte[] text, int offset, int length) {
    int from = offset; // of the word
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
      begun = Bytes.concat(begun, Arrays.copyOfRange(text, from, offset + length));
      inLine = true;
    }
  }

  private void endWord(byte[] text, int from, int to) {
    if (begun.length == 0 && from == to) {
      return;
    }
    String word;
    int length = begun.length + to - from;
    byte[] bytes = text;
    int start = from;
    if (begun.length > 0) {
      bytes = Bytes.concat(begun, Arrays.copyOfRange(text, from, to));
      start = 0;
      begun = new byte[0];
    }
    word = new String(bytes, start, length, StandardCharsets.UTF_8);
    words.accept(word);
    boolean malformed =
        word.indexOf(REPLACEMENT) >= 0
            && !Arrays.equals(
                word.getBytes(StandardCharsets.UTF_8),
                Arrays.copyOfRange(bytes, start, start + length));
    if (malformed || !comesBack(word)) {
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
    endWord(begun, begun.length, begun.length);
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
