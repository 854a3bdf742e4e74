package io.github.sharnn.bench;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.LongUnaryOperator;

/**
 * Random tokens with frequencies like those of words, most frequent first: token n has a
 * probability proportional to 1 / (n + 1), Zipf's law. Rare words of a real text are rarer.
 */
final class ZipfTokens implements LongUnaryOperator {

  private final double[] cumulative; // weights of the tokens up to each

  ZipfTokens(int vocabularySize) {
    cumulative = new double[vocabularySize];
    double sum = 0;
    for (int token = 0; token < vocabularySize; token++) {
      sum += 1.0 / (token + 1);
      cumulative[token] = sum;
    }
  }

  /** The token at a position, the same every time. */
  @Override
  public long applyAsLong(long position) {
    double drawn = new SplittableRandom(position).nextDouble() * cumulative[cumulative.length - 1];
    int found = Arrays.binarySearch(cumulative, drawn);
    return found >= 0 ? found + 1 : -found - 1; // the first token whose sum is above what was drawn
  }

  /** The probability of the tokens from one to before another. */
  double share(int from, int to) {
    double before = from == 0 ? 0 : cumulative[from - 1];
    return (cumulative[to - 1] - before) / cumulative[cumulative.length - 1];
  }
}
