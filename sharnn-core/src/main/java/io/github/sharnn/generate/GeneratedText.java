package io.github.sharnn.generate;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * The text that follows a prompt, in pieces of whole characters, each computed when it is asked
 * for. {@link SHARNNGenerator#iterate} makes it.
 *
 * <p>Close it: that frees what the model remembers of the text, wherever it is broken off. Nothing
 * comes after that. After the last piece there is nothing left to free. One that is abandoned keeps
 * it until the garbage collector finds it, which knows nothing of native memory and may take its
 * time. For one thread at a time, but for {@link #close}, which any thread may call: it waits for
 * the token that is being computed, and there the text ends.
 */
public final class GeneratedText implements Iterator<String>, AutoCloseable {

  private static final Cleaner ABANDONED = Cleaner.create();

  private final GeneratedBytes bytes;
  private final Cleaner.Cleanable arrays;
  private final Deque<String> pieces = new ArrayDeque<>();
  private final Utf8Decoder decoder = new Utf8Decoder(pieces::add);
  private boolean ended;

  GeneratedText(GeneratedBytes bytes) {
    this.bytes = bytes;
    arrays = ABANDONED.register(this, bytes::close);
  }

  /**
   * Computes the next piece, unless it is there already.
   *
   * @return whether there is one
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
      return !pieces.isEmpty();
    } finally {
      Reference.reachabilityFence(this); // no array is freed under a token
    }
  }

  /**
   * Returns the next piece.
   *
   * @return one character or more
   * @throws NoSuchElementException if there is none
   */
  @Override
  public synchronized String next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the text has ended");
    }
    return pieces.remove();
  }

  /** Breaks the text off, if it has not ended, and frees the model's arrays. */
  @Override
  public synchronized void close() {
    ended = true;
    pieces.clear();
    arrays.clean();
  }
}
