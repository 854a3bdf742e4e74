package io.github.sharnn.score;

import ai.djl.ndarray.NDList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Texts of different lengths, scored side by side. The longest text comes first, so the texts that
 * have ended are always the last rows. A segment is no longer than its longest text needs. The
 * model is causal, so the padding after a shorter text changes nothing before it.
 */
final class ScoringBatch implements AutoCloseable {

  private final ScoringLoop loop;
  private final int segmentLength;
  private final List<Segments.Text> texts;
  private final List<Integer> longestFirst;
  private final List<Sums> sums; // in the order of texts
  private final List<List<TokenScore>> scores; // the same; empty if only totals are wanted
  private boolean onlyTotals;
  private int start; // of the next segment

  ScoringBatch(ScoringLoop loop, int segmentLength, int mostTop, List<Segments.Text> texts) {
    this.loop = loop;
    this.segmentLength = segmentLength;
    this.texts = texts;
    longestFirst =
        IntStream.range(0, texts.size())
            .boxed()
            .sorted(Comparator.comparing(i -> -texts.get(i).tokens().length))
            .toList();
    sums = texts.stream().map(text -> new Sums(mostTop)).toList();
    scores = texts.stream().<List<TokenScore>>map(text -> new ArrayList<>()).toList();
  }

  /** Scores all segments but the last and returns its inputs, none if all texts are empty. */
  NDList prefill() {
    NDList inputs = new NDList();
    while (hasNext()) {
      inputs = next();
      if (hasNext()) {
        accept(loop.forward(inputs));
      }
    }
    return inputs;
  }

  /** Scores the last segment from its outputs and returns the scores in the texts' order. */
  List<Score> finish(NDList outputs) {
    if (!outputs.isEmpty()) {
      accept(outputs);
    }
    return IntStream.range(0, texts.size())
        .mapToObj(i -> new Score(List.copyOf(scores.get(i)), totals(i)))
        .toList();
  }

  /** Scores all segments. */
  List<Score> score() {
    NDList inputs = prefill();
    return finish(inputs.isEmpty() ? inputs : loop.forward(inputs));
  }

  /** Scores all segments and returns only the totals, in the texts' order. */
  List<Score.Totals> totals() {
    onlyTotals = true;
    score();
    return IntStream.range(0, texts.size()).mapToObj(this::totals).toList();
  }

  private Score.Totals totals(int text) {
    return sums.get(text).totals(texts.get(text).units());
  }

  private boolean hasNext() {
    return !texts.isEmpty() && start < texts.get(longestFirst.get(0)).tokens().length;
  }

  private NDList next() {
    List<int[]> segments = new ArrayList<>();
    for (int i : longestFirst) {
      int[] tokens = texts.get(i).tokens();
      if (start < tokens.length) {
        int end = Math.min(start + segmentLength, tokens.length);
        segments.add(Arrays.copyOfRange(tokens, start, end));
      }
    }
    start += segmentLength;
    return loop.inputs(segments, false);
  }

  private void accept(NDList outputs) {
    SegmentScores segment = loop.accept(outputs, !onlyTotals);
    for (int stream = 0; stream < segment.streams(); stream++) {
      int text = longestFirst.get(stream);
      sums.get(text).add(segment, stream);
      if (!onlyTotals) {
        scores.get(text).addAll(segment.scores(stream));
      }
    }
  }

  @Override
  public void close() {
    loop.close();
  }
}
