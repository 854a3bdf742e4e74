package io.github.sharnn.score;

import ai.djl.ndarray.NDList;
import io.github.sharnn.TextModel;
import io.github.sharnn.engine.Lifetime;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.function.Consumer;

/** The scoring of one text while it comes. */
final class LiveScoring {

  private static final int SMALLEST_READ = 1 << 13; // bytes

  private final TextModel model;
  private final int segmentLength;
  private final boolean scoresParts;
  private final ScoringLoop loop;
  private final Sums sums;
  private final Consumer<TokenScore> callback;

  /**
   * Prepares to score with a loop of one stream.
   *
   * @param scoresParts true to score a part of a segment when the text pauses
   */
  LiveScoring(
      TextModel model,
      int segmentLength,
      boolean scoresParts,
      ScoringLoop loop,
      Sums sums,
      Consumer<TokenScore> callback) {
    this.model = model;
    this.segmentLength = segmentLength;
    this.scoresParts = scoresParts;
    this.loop = loop;
    this.sums = sums;
    this.callback = callback;
  }

  /** Scores a text to its end. */
  Score.Totals score(InputStream text) throws IOException {
    Lifetime lifetime = model.lifetime();
    Segments segments = new Segments(model, segmentLength, this::accept);
    byte[] some = new byte[Math.max(segmentLength, SMALLEST_READ)];
    int count = text.read(some);
    while (count >= 0) {
      Lifetime.Lease lease = lifetime.lease();
      try (lease) {
        count = write(text, some, count, segments);
      }
      if (count == 0) {
        count = text.read(some); // may wait long, hence without a lease
      }
    }
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      return sums.totals(segments.end());
    }
  }

  private void accept(int[] tokens, boolean continued) {
    NDList inputs = loop.inputs(List.of(tokens), continued);
    SegmentScores scores = loop.accept(loop.forward(inputs), true);
    sums.add(scores, 0);
    scores.scores(0).forEach(callback);
  }

  /** Scores until the text pauses, and returns 0, or until its end, and returns -1. */
  private int write(InputStream text, byte[] some, int first, Segments segments)
      throws IOException {
    for (int count = first; count >= 0; count = text.read(some)) {
      segments.write(some, count);
      if (pauses(text)) {
        if (scoresParts) {
          segments.flush();
        }
        return 0;
      }
    }
    return -1;
  }

  private static boolean pauses(InputStream text) {
    try {
      return text.available() == 0;
    } catch (IOException e) {
      return true; // some streams can't tell, such as that of a named pipe from Files
    }
  }
}
