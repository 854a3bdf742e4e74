package io.github.sharnn.score;

import com.google.common.primitives.Ints;
import io.github.sharnn.TextModel;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TokenEncoder;
import io.github.sharnn.vocabulary.WordCount;
import java.util.ArrayList;
import java.util.List;

/** A cutter of a text's tokens into segments. */
final class Segments {

  private static final int MOST_ENCODED = 1 << 16; // bytes between two checks for an interrupt

  private final TextModel model;
  private final int segmentLength;
  private final SegmentConsumer consumer;
  private final TokenEncoder encoder;
  private final WordCount words = new WordCount();
  private final List<Integer> waiting = new ArrayList<>();
  private int begun; // tokens of the current segment that the consumer has
  private long bytes;
  private long tokens;

  Segments(TextModel model, int segmentLength, SegmentConsumer consumer) {
    this.model = model;
    this.segmentLength = segmentLength;
    this.consumer = consumer;
    encoder = model.vocabulary().encoder(this::add);
  }

  private void add(int token) {
    model.check("text", token, tokens++);
    waiting.add(token);
    if (begun + waiting.size() == segmentLength) {
      flush();
      begun = 0;
    }
  }

  /** Hands out the tokens so far. */
  void flush() {
    if (!waiting.isEmpty()) {
      int[] part = Ints.toArray(waiting);
      waiting.clear();
      boolean continued = begun > 0;
      begun += part.length;
      consumer.accept(part, continued);
    }
  }

  void write(byte[] text, int length) {
    for (int from = 0; from < length; from += MOST_ENCODED) {
      Interrupts.check();
      int count = Math.min(MOST_ENCODED, length - from);
      encoder.write(text, from, count);
      words.write(text, from, count);
    }
    bytes += length;
  }

  /** Hands out the last tokens and returns the length of the text. */
  Perplexity.Units end() {
    encoder.end();
    flush();
    return new Perplexity.Units(bytes, tokens, words.words(), encoder.lostBytes());
  }

  /** The tokens of a text and its length. */
  record Text(int[] tokens, Perplexity.Units units) {}

  /** Encodes a whole text. */
  static Text encode(TextModel model, byte[] bytes) {
    List<int[]> tokens = new ArrayList<>();
    Segments segments = new Segments(model, MOST_ENCODED, (some, continued) -> tokens.add(some));
    segments.write(bytes, bytes.length);
    Perplexity.Units units = segments.end();
    return new Text(Ints.concat(tokens.toArray(int[][]::new)), units);
  }

  /** A receiver of a segment's tokens. */
  @FunctionalInterface
  interface SegmentConsumer {

    /**
     * Takes the next tokens.
     *
     * @param tokens a whole segment, or a part of one
     * @param continued true if the tokens continue the segment of the call before
     */
    void accept(int[] tokens, boolean continued);
  }
}
