package io.github.sharnn.generate;

import java.util.Arrays;

/** The last tokens of a stream, for a repetition penalty. */
final class RecentTokens {

  private static final int SMALLEST = 64;

  private final int window;
  private int[] ring; // grows up to the window, which may be huge
  private long added;

  /** Creates a window of at most {@code window} tokens, possibly 0. */
  RecentTokens(int window) {
    this.window = window;
    ring = new int[Math.min(window, SMALLEST)];
  }

  void add(int token) {
    if (added == ring.length && added < window) {
      ring = Arrays.copyOf(ring, (int) Math.min(2L * ring.length, window));
    }
    if (window > 0) {
      ring[(int) (added++ % ring.length)] = token;
    }
  }

  /** Returns the tokens, in no particular order. */
  int[] toArray() {
    return Arrays.copyOf(ring, (int) Math.min(added, ring.length));
  }
}
