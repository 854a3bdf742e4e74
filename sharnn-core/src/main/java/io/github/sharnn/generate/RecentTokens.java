package io.github.sharnn.generate;

import java.util.Arrays;

/** The last tokens of a stream, for a repetition penalty. */
final class RecentTokens {

  private final int[] ring;
  private long added;

  /** Remembers as many tokens as the window, which may be 0. */
  RecentTokens(int window) {
    ring = new int[window];
  }

  void add(int token) {
    if (ring.length > 0) {
      ring[(int) (added++ % ring.length)] = token;
    }
  }

  /** Returns the tokens, in no order. */
  int[] toArray() {
    return Arrays.copyOf(ring, (int) Math.min(added, ring.length));
  }
}
