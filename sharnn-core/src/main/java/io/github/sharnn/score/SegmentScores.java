package io.github.sharnn.score;

import java.util.ArrayList;
import java.util.List;

/** The figures of a segment's tokens, in rows of {@code longest} tokens for each stream. */
final class SegmentScores {

  private final List<int[]> tokens; // of each stream
  private final int longest;
  private final float[] logProbabilities;
  private final long[] better; // tokens with a higher probability
  private final float[] entropies;
  private final float[] variances;

  /** Takes arrays of {@code (B, T)}, of which a shorter stream uses the first elements of a row. */
  SegmentScores(
      List<int[]> tokens,
      int longest,
      float[] logProbabilities,
      long[] better,
      float[] entropies,
      float[] variances) {
    this.tokens = tokens;
    this.longest = longest;
    this.logProbabilities = logProbabilities;
    this.better = better;
    this.entropies = entropies;
    this.variances = variances;
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
    return logProbabilities[stream * longest + i];
  }

  float entropy(int stream, int i) {
    return entropies[stream * longest + i];
  }

  float variance(int stream, int i) {
    return variances[stream * longest + i];
  }

  /** Returns the scores of a stream's tokens. */
  List<TokenScore> scores(int stream) {
    List<TokenScore> scores = new ArrayList<>();
    int at = stream * longest;
    for (int token : tokens.get(stream)) {
      int rank = (int) better[at] + 1;
      scores.add(new TokenScore(token, logProbabilities[at], rank, entropies[at], variances[at]));
      at++;
    }
    return scores;
  }
}
