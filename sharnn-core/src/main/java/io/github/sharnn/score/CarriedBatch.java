package io.github.sharnn.score;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * Texts that follow other texts, scored side by side, the longest first. The states before them
 * have equal numbers of positions. A step ends where a text ends, because the padding of a longer
 * step would change the text's state.
 */
final class CarriedBatch {

  private final ScoringLoop loop;
  private final int segmentLength;
  private final List<Segments.Text> texts;
  private final List<Sums> sums;

  /** Prepares texts with at least one token each. */
  CarriedBatch(
      ScoringLoop loop, int segmentLength, List<Segments.Text> longestFirst, Supplier<Sums> sums) {
    this.loop = loop;
    this.segmentLength = segmentLength;
    texts = longestFirst;
    this.sums = texts.stream().map(text -> sums.get()).toList();
  }

  /** Scores the texts and returns their scores, the longest first. */
  List<CarriedScore> score() {
    CarriedScore[] scores = new CarriedScore[texts.size()];
    int start = 0;
    for (int active = texts.size(); active > 0; ) {
      int segmentEnd = (start / segmentLength + 1) * segmentLength;
      int end = Math.min(segmentEnd, texts.get(active - 1).tokens().length);
      step(active, start, end);
      int left = active;
      while (left > 0 && texts.get(left - 1).tokens().length == end) {
        left--;
      }
      List<ScoringState> states = loop.states(left, active);
      for (int ended = left; ended < active; ended++) {
        Score.Totals totals = sums.get(ended).totals(texts.get(ended).units());
        scores[ended] = new CarriedScore(totals, states.get(ended - left));
      }
      active = left;
      start = end;
    }
    return List.of(scores);
  }

  private void step(int active, int start, int end) {
    List<int[]> tokens =
        texts.subList(0, active).stream()
            .map(text -> Arrays.copyOfRange(text.tokens(), start, end))
            .toList();
    boolean continued = start % segmentLength > 0;
    SegmentScores segment = loop.accept(loop.forward(loop.inputs(tokens, continued)), false);
    for (int stream = 0; stream < active; stream++) {
      sums.get(stream).add(segment, stream);
    }
  }
}
