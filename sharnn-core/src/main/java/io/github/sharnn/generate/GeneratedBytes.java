package io.github.sharnn.generate;

import ai.djl.ndarray.NDList;
import io.github.sharnn.vocabulary.TokenDecoder;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * The bytes that follow one prompt, those of a token computed when they are asked for. Its arrays
 * live until the last token is out or, before that, until it is closed.
 */
final class GeneratedBytes implements AutoCloseable {

  private final SHARNNGenerator options;
  private final TokenLoop loop;
  private final int[] prompt; // its tokens
  private final TokenDecoder decoder;
  private final RandomGenerator random;
  private final StopText stop;
  private final RecentTokens recent;
  private boolean dropSpace; // before the first word
  private float[] logits; // of the first token; null: to be computed, from the last
  private int last;
  private int tokens;
  private int count;
  private boolean ended;

  /** Starts after a prompt that has not been fed. */
  GeneratedBytes(SHARNNGenerator options, TokenLoop loop, byte[] prompt) {
    this.options = options;
    this.loop = loop;
    this.prompt = options.tokens(prompt);
    random = new SplittableRandom(options.seed());
    stop = new StopText(options.stop());
    recent = new RecentTokens(options.penalizedTokens(this.prompt.length));
    decoder = options.vocabulary().decoder();
    for (int token : this.prompt) {
      recent.add(token);
      decoder.decode(token); // whether a space comes next depends on what was before
    }
    // to words a prompt ends alike with its last space and without it
    dropSpace = !options.vocabulary().lossless() && prompt[prompt.length - 1] == ' ';
  }

  /** Feeds the prompt but for its last segment, and returns that segment's inputs. */
  NDList inputs() {
    return loop.prefill(prompt);
  }

  /** Takes what the model made of {@link #inputs()}. */
  GeneratedBytes begin(NDList lastOutputs) {
    logits = loop.accept(lastOutputs);
    return this;
  }

  /** Feeds the whole prompt. */
  GeneratedBytes begin() {
    return begin(loop.forward(inputs()));
  }

  /** Hands out the next token's bytes, which may be none, or returns false if there is none. */
  boolean tryAdvance(SHARNNGenerator.ByteConsumer consumer) {
    if (ended) {
      return false;
    }
    float[] next = logits == null ? loop.next(last) : logits;
    logits = null;
    draw(next, consumer);
    return true;
  }

  /**
   * Draws the next token from its logits and hands out its bytes; after the last it closes this.
   */
  void draw(float[] next, SHARNNGenerator.ByteConsumer consumer) {
    last = options.sampler().sample(next, random, recent.toArray());
    recent.add(last);
    tokens++;
    boolean end = tokens == options.length();
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
        end = true;
        break;
      }
    }
    if (end) {
      close();
    }
  }

  /** The newest token. */
  long token() {
    return last;
  }

  boolean ended() {
    return ended;
  }

  /** How many bytes there have been. */
  int count() {
    return count;
  }

  /** Ends the bytes and frees the arrays; for the second time it does nothing. */
  @Override
  public void close() {
    if (!ended) {
      ended = true;
      loop.close();
    }
  }
}
