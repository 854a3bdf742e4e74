package io.github.sharnn.generate;

import ai.djl.ndarray.NDList;

/**
 * The bytes that follow one prompt, those of a token computed when they are asked for. Its arrays
 * live until the last token is out or, before that, until it is closed.
 */
final class GeneratedBytes implements AutoCloseable {

  private final TokenLoop loop;
  private final DrawnTokens tokens;
  private float[] logits; // of the first token; null: to be computed, from the last
  private boolean closed;

  /** Starts after a prompt that has not been fed; closes the loop. */
  GeneratedBytes(TokenLoop loop, DrawnTokens tokens) {
    this.loop = loop;
    this.tokens = tokens;
  }

  /** Feeds the prompt but for its last segment, and returns that segment's inputs. */
  NDList inputs() {
    return loop.prefill(tokens.prompt());
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
    if (closed) {
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

  /** How many bytes there have been. */
  int count() {
    return tokens.count();
  }

  /** Ends the bytes and frees the arrays; for the second time it does nothing. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      loop.close();
    }
  }
}
