package io.github.sharnn.generate;

import ai.djl.ndarray.NDList;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Interrupts;
import org.jspecify.annotations.Nullable;

/** The bytes after one prompt, computed on demand. The arrays are freed after the last token. */
final class GeneratedBytes implements AutoCloseable {

  private final TokenLoop loop;
  private final DrawnTokens tokens;
  private final Lifetime.Hold hold; // of the model
  private float @Nullable [] logits; // after the prompt, until the first token is drawn
  private boolean closed;

  /** Takes ownership of a loop that has not read anything yet, and of a hold. */
  GeneratedBytes(TokenLoop loop, DrawnTokens tokens, Lifetime.Hold hold) {
    this.hold = hold;
    this.loop = loop;
    this.tokens = tokens;
  }

  /** Reads the prompt except for its last segment, and returns that segment's inputs. */
  NDList inputs() {
    return loop.prefill(tokens.prompt());
  }

  /** Takes the model's outputs for {@link #inputs()}. */
  GeneratedBytes begin(NDList lastOutputs) {
    logits = loop.accept(lastOutputs);
    return this;
  }

  /** Reads the whole prompt. */
  GeneratedBytes begin() {
    return begin(loop.forward(inputs()));
  }

  /** Hands out the next token's bytes, or returns false at the end or if the model is closed. */
  boolean tryAdvance(SHARNNGenerator.ByteConsumer consumer) {
    if (closed) {
      return false;
    }
    Interrupts.check();
    Lifetime.Lease lease = hold.tryLease();
    try (lease) {
      if (lease == null) {
        close();
        return false;
      }
      float[] next = logits == null ? loop.next(tokens.last()) : logits;
      logits = null;
      tokens.draw(next, consumer);
      if (tokens.ended()) {
        close();
      }
      return true;
    }
  }

  DrawnTokens tokens() {
    return tokens;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      loop.close();
      hold.close();
    }
  }
}
