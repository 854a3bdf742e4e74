package io.github.sharnn.generate;

import static java.util.Objects.requireNonNullElseGet;

import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenDecoder;
import java.util.SplittableRandom;
import java.util.concurrent.ThreadLocalRandom;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The tokens drawn after one prompt, from logits that the caller computes. */
final class DrawnTokens {

  private static final Logger LOGGER = LoggerFactory.getLogger(DrawnTokens.class);
  private static final long SEEDS = 1L << 53; // any JSON reader keeps such a number exact

  private final GenerationOptions options;
  private final long seed;
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

  /** Encodes a prompt and checks it. Draws a seed if the options have none. */
  DrawnTokens(SHARNNGenerator generator, byte[] prompt) {
    options = generator.options();
    this.prompt = generator.model().encode("prompt", prompt);
    seed = requireNonNullElseGet(options.seed(), () -> ThreadLocalRandom.current().nextLong(SEEDS));
    LOGGER.debug("generating with the seed {}", seed);
    random = new SplittableRandom(seed);
    stop = new StopText(options.stops());
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

  long seed() {
    return seed;
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
