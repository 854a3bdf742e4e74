package io.github.sharnn.generate;

import io.github.sharnn.vocabulary.TokenDecoder;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** The tokens that follow one prompt, drawn from logits that somebody else computes. */
final class DrawnTokens {

  private final GenerationOptions options;
  private final int[] prompt; // its tokens
  private final TokenDecoder decoder;
  private final RandomGenerator random;
  private final StopText stop;
  private final RecentTokens recent;
  private boolean dropSpace; // before the first word
  private int last;
  private int tokens;
  private int count;
  private boolean ended;

  /** Starts after a prompt, which is checked. */
  DrawnTokens(SHARNNGenerator generator, byte[] prompt) {
    options = generator.options();
    this.prompt = generator.tokens(prompt);
    random = new SplittableRandom(options.seed());
    stop = new StopText(options.stop());
    recent = new RecentTokens(options.penalizedTokens());
    decoder = generator.vocabulary().decoder();
    for (int token : this.prompt) {
      recent.add(token);
      decoder.decode(token); // whether a space comes next depends on what was before
    }
    // to words a prompt ends alike with its last space and without it
    dropSpace = !generator.vocabulary().lossless() && prompt[prompt.length - 1] == ' ';
  }

  /** The prompt's tokens. */
  int[] prompt() {
    return prompt;
  }

  /** Draws the next token from its logits and hands out its bytes, which may be none. */
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
      if (stopped) { // what the token goes on with comes after the stop
        ended = true;
        break;
      }
    }
  }

  /** The newest token. */
  long last() {
    return last;
  }

  /** Whether that was the last one. */
  boolean ended() {
    return ended;
  }

  /** How many bytes there have been. */
  int count() {
    return count;
  }
}
