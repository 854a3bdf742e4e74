package io.github.sharnn.generate;

import com.google.common.primitives.Ints;
import java.util.ArrayDeque;
import java.util.Queue;

/** The last tokens of a stream, for a repetition penalty. */
final class RecentTokens {

  private final int window;
  private final Queue<Integer> tokens = new ArrayDeque<>();

  /** Creates a window of at most {@code window} tokens, possibly 0. */
  RecentTokens(int window) {
    this.window = window;
  }

  void add(int token) {
    tokens.add(token);
    if (tokens.size() > window) {
      tokens.remove();
    }
  }

  int[] toArray() {
    return Ints.toArray(tokens);
  }
}
