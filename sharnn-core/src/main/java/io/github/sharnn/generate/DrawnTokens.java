package io.github.sharnn.generate;

import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenDecoder;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** The tokens drawn after one prompt, from logits that the caller computes. */
final class DrawnTokens {

  private final GenerationOptions options;
  private final int[] prompt;
  private final TokenDecoder decoder;
  private final RandomGenerator random;
  private final StopText stop;
  private final RecentTokens recent;
  private boolean dropSpace; // before the first word
  private int last;
  private int tokens;
  private int count;
  private boolean ended;

  /** Encodes a prompt and checks it. */
  DrawnTokens(SHARNNGenerator generator, byte[] prompt) {
    options = generator.options();
    this.prompt = generator.model().encode("prompt", prompt);
    random = new SplittableRandom(options.seed());
    stop = new StopText(options.stop());
    recent = new RecentTokens(options.penalizedTokens());
    TextVocabulary vocabulary = generator.model().vocabulary();
    decoder = vocabulary.decoder();
    for (int token : this.prompt) {
      recent.add(token);
      decoder.decode(token); // the decoder needs the text before a word to decide on a space
    }
    // a word vocabulary gives the same tokens with and without a space at the prompt's end
    dropSpace = !vocabulary.lossless() && prompt[prompt.length - 1] == ' ';
  }

  int[] prompt() {
    return prompt;
  }

  /** Draws the next token from its logits and hands out its bytes, possibly none. */
  void draw(float[] logits, SHARNNGenerator.ByteConsumer consumer) {
    last = options.sampler().sample(logits, random, recent.toArray());
    recent.add(last);
    tokens++;
    ended = tokens == options.length();
    for (byte each : decoder.decode(last)) {
      boolean dropped = dropSpace && each == ' ';
      dropSpace = false;
      if (dropped) {
        continue;
      }
      count++;
      boolean stopped = stop.endsWith(each);
      consumer.accept(each);
      if (stopped) { // the rest of the token comes after the stop text
        ended = true;
        break;
      }
    }
  }

  long last() {
    return last;
  }

  /** Tells whether the newest token was the last one. */
  boolean ended() {
    return ended;
  }

  /** Returns the number of bytes so far. */
  int count() {
    return count;
  }

  /** Returns the number of tokens so far. */
  int tokenCount() {
    return tokens;
  }
}
