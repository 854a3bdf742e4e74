package io.github.sharnn.generate;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * A stream of generated text: pieces of whole characters that follow a prompt, each computed on
 * demand. {@link SHARNNGenerator#iterate} creates it.
 *
 * <p>Closing a text frees the model's state. A text that is read to the end has nothing left to
 * free. The garbage collector frees an abandoned text, but late, since it does not see native
 * memory. Any thread may call {@link #close}, which waits for the token being computed and ends the
 * text. Closing the model ends the text too. The other methods are for one thread at a time.
 */
public final class GeneratedText implements Iterator<String>, AutoCloseable {

  private static final Cleaner ABANDONED = Cleaner.create();

  private final GeneratedBytes bytes;
  private final Cleaner.Cleanable arrays;
  private final Deque<String> pieces = new ArrayDeque<>();
  private final Utf8Decoder decoder = new Utf8Decoder(pieces::add);
  private boolean ended;
  private boolean closed;
  private boolean promised; // hasNext() has said so, and next() has not been called

  GeneratedText(GeneratedBytes bytes) {
    this.bytes = bytes;
    arrays = ABANDONED.register(this, bytes::close);
  }

  /**
   * {@return the seed of this text: that of the generator, or the seed drawn for this text} {@link
   * SHARNNGenerator.Builder#seed} with this number gives the same text again.
   */
  public long seed() {
    return bytes.tokens().seed();
  }

  /**
   * Returns true if another piece follows, and computes this piece if necessary.
   *
   * @return true if there is another piece; false after {@link #close}, and after the model has
   *     been closed
   * @throws java.util.concurrent.CancellationException if the thread is interrupted; the text stays
   *     open
   */
  @Override
  public synchronized boolean hasNext() {
    try {
      while (pieces.isEmpty() && !ended) {
        if (!bytes.tryAdvance(decoder)) {
          ended = true;
          decoder.end();
        }
      }
      promised = !closed && !pieces.isEmpty();
      return promised;
    } finally {
      Reference.reachabilityFence(this); // keeps the cleaner from freeing arrays in use
    }
  }

  /**
   * Returns the next piece, also of a text that was closed after {@link #hasNext} returned true.
   *
   * @return at least one character
   * @throws NoSuchElementException if the text has ended
   */
  @Override
  public synchronized String next() {
    if (!promised && !hasNext()) {
      throw new NoSuchElementException("the text has ended");
    }
    promised = false;
    return pieces.remove();
  }

  /**
   * {@return the number of tokens drawn so far, at most the generator's {@code length}} The newest
   * tokens may be part of a character that {@link #next} has not returned yet.
   */
  public synchronized int tokenCount() {
    return bytes.tokens().tokenCount();
  }

  /** Ends the text and frees the model's arrays. */
  @Override
  public synchronized void close() {
    ended = true;
    closed = true;
    arrays.clean();
  }
}
