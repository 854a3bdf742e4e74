package io.github.sharnn.score;

import io.github.sharnn.vocabulary.Perplexity;
import java.util.ArrayList;
import java.util.List;

/** The sums of a text's tokens so far, and the most surprising tokens. */
final class Sums {

  private static final double NATS_PER_BIT = Math.log(2);

  private final int mostTop;
  private final List<Score.Surprise> top = new ArrayList<>(); // the greatest first
  private long tokens;
  private double nats;
  private double entropy;
  private double variance;

  /** Starts sums that keep so many of the most surprising tokens. */
  Sums(int mostTop) {
    this.mostTop = mostTop;
  }

  /** Adds the next tokens of a stream. */
  void add(SegmentScores scores, int stream) {
    int[] added = scores.tokens(stream);
    for (int i = 0; i < added.length; i++) {
      double surprise = -scores.logProbability(stream, i);
      nats += surprise;
      entropy += scores.entropy(stream, i);
      variance += scores.variance(stream, i);
      addTop(surprise / NATS_PER_BIT, added[i]);
      tokens++;
    }
  }

  private void addTop(double bits, int token) {
    int size = top.size();
    if (size == mostTop && bits <= top.get(size - 1).bits()) {
      return;
    }
    int at = size;
    while (at > 0 && bits > top.get(at - 1).bits()) {
      at--;
    }
    if (size == mostTop) {
      top.remove(size - 1);
    }
    top.add(at, new Score.Surprise(tokens, token, bits));
  }

  /** Returns the totals of a text of the given length. */
  Score.Totals totals(Perplexity.Units units) {
    return new Score.Totals(new Perplexity(nats, tokens, units), entropy, variance, top);
  }
}
