package io.github.sharnn.tokenizers;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/** Texts for tests. */
final class Texts {

  private static final int[][] RANGES = {
    {' ', '~'},
    {'a', 'z'},
    {' ', ' '},
    {'\t', '\r'},
    {0x00, 0x1F},
    {0xA0, 0x24F},
    {0x300, 0x36F},
    {0x400, 0x4FF},
    {0x2000, 0x206F},
    {0x4E00, 0x9FFF},
    {0x1F300, 0x1FAFF},
    {0x0, 0x10FFFF}
  };

  private Texts() {}

  /** Returns random characters, without halves of surrogate pairs. */
  static String random(Random random) {
    StringBuilder text = new StringBuilder();
    int length = random.nextInt(40);
    while (text.length() < length) {
      int[] range = RANGES[random.nextInt(RANGES.length)];
      int character = range[0] + random.nextInt(range[1] - range[0] + 1);
      if (character < Character.MIN_SURROGATE || character > Character.MAX_SURROGATE) {
        text.appendCodePoint(character);
      }
    }
    return text.toString();
  }

  /** Returns English with contractions, numbers, umlauts and odd white space. */
  static byte[] english() {
    String[] words = {
      "the",
      "they're",
      "cat's",
      "Caf\u00e9",
      "1984,",
      "\"Stop",
      "thinking\"",
      "with",
      "your",
      "head.",
      "attention",
      "headed",
      "heads",
      "\u6f22\u5b57",
      "--",
      "\n\n",
      "  ",
      "\t",
      "don't"
    };
    StringBuilder text = new StringBuilder();
    Random random = new Random(7);
    for (int i = 0; i < 3000; i++) {
      text.append(words[(int) Math.abs(random.nextGaussian() * 5) % words.length]).append(' ');
    }
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  static SubwordVocabulary pieces(int size) throws IOException {
    return BytePairTrainer.train(new ByteArrayInputStream(english()), size);
  }
}
