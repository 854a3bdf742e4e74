package io.github.sharnn.score;

import java.util.List;
import java.util.stream.IntStream;

/** The figures of a segment's tokens, in rows of {@code longest} tokens for each stream. */
final class SegmentScores {

  private final List<int[]> tokens; // of each stream
  private final int longest;
  private final float[] figures; // (4, B, T): log-probability, entropy, variance, likelier tokens

  /** Takes figures of {@code (4, B, T)}, where a shorter stream uses the start of its row. */
  SegmentScores(List<int[]> tokens, int longest, float[] figures) {
    this.tokens = tokens;
    this.longest = longest;
    this.figures = figures;
  }

  /** Returns the number of streams. */
  int streams() {
    return tokens.size();
  }

  /** Returns a stream's tokens. */
  int[] tokens(int stream) {
    return tokens.get(stream);
  }

  float logProbability(int stream, int i) {
    return figure(0, stream, i);
  }

  float entropy(int stream, int i) {
    return figure(1, stream, i);
  }

  float variance(int stream, int i) {
    return figure(2, stream, i);
  }

  private int rank(int stream, int i) {
    return 1 + (int) figure(3, stream, i);
  }

  private float figure(int figure, int stream, int i) {
    return figures[(figure * streams() + stream) * longest + i];
  }

  /** Returns the scores of a stream's tokens. */
  List<TokenScore> scores(int stream) {
    int[] own = tokens(stream);
    return IntStream.range(0, own.length)
        .mapToObj(
            i ->
                new TokenScore(
                    own[i],
                    logProbability(stream, i),
                    rank(stream, i),
                    entropy(stream, i),
                    variance(stream, i)))
        .toList();
  }
}
