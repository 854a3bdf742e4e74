package io.github.sharnn.bench;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.LongUnaryOperator;

/**
 * Random tokens whose frequencies imitate those of words, most frequent first. By Zipf's law, token
 * n has a probability proportional to 1 / (n + 1). In real texts, rare words are even rarer.
 */
final class ZipfTokens implements LongUnaryOperator {

  private final double[] cumulative; // sums of the weights up to each token

  ZipfTokens(int vocabularySize) {
    cumulative = new double[vocabularySize];
    double sum = 0;
    for (int token = 0; token < vocabularySize; token++) {
      sum += 1.0 / (token + 1);
      cumulative[token] = sum;
    }
  }

  /** Returns the token at a position, the same one at each call. */
  @Override
  public long applyAsLong(long position) {
    double drawn = new SplittableRandom(position).nextDouble() * cumulative[cumulative.length - 1];
    int found = Arrays.binarySearch(cumulative, drawn);
    return found >= 0 ? found + 1 : -found - 1; // the first token with a larger sum
  }

  /** Returns the total probability of the tokens in [from, to). */
  double share(int from, int to) {
    double before = from == 0 ? 0 : cumulative[from - 1];
    return (cumulative[to - 1] - before) / cumulative[cumulative.length - 1];
  }
}
