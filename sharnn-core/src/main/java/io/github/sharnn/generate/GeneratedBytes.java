package io.github.sharnn.generate;

import ai.djl.ndarray.NDList;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * The bytes that follow one prompt, each computed when it is asked for. Its arrays live until the
 * last byte is out or, before that, until it is closed.
 */
final class GeneratedBytes implements AutoCloseable {

  private final SHARNNGenerator options;
  private final TokenLoop loop;
  private final byte[] prompt;
  private final RandomGenerator random;
  private final StopText stop;
  private final RecentTokens recent;
  private float[] logits; // of the first byte; null: to be computed, from the last
  private byte last;
  private int count;
  private boolean ended;

  /** Starts after a prompt that has not been fed. */
  GeneratedBytes(SHARNNGenerator options, TokenLoop loop, byte[] prompt) {
    this.options = options;
    this.loop = loop;
    this.prompt = prompt;
    random = new SplittableRandom(options.seed());
    stop = new StopText(options.stop());
    recent = new RecentTokens(options.penalizedTokens(prompt.length));
    for (byte token : prompt) {
      recent.add(Byte.toUnsignedInt(token));
    }
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

  /** Hands out the next byte, or returns false if there is none. */
  boolean tryAdvance(SHARNNGenerator.ByteConsumer consumer) {
    if (ended) {
      return false;
    }
    float[] next = logits == null ? loop.next(Byte.toUnsignedLong(last)) : logits;
    logits = null;
    draw(next, consumer);
    return true;
  }

  /** Draws the next byte from its logits and hands it out. After the last one it closes this. */
  void draw(float[] next, SHARNNGenerator.ByteConsumer consumer) {
    last = (byte) options.sampler().sample(next, random, recent.toArray());
    recent.add(Byte.toUnsignedInt(last));
    count++;
    boolean end = stop.endsWith(last) || count == options.length();
    consumer.accept(last);
    if (end) {
      close();
    }
  }

  /** The newest byte as a token. */
  long token() {
    return Byte.toUnsignedLong(last);
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
