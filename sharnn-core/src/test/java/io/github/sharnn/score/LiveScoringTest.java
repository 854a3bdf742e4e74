package io.github.sharnn.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.generate.TinyModel;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Texts that come in pieces, and scores of which only the totals are kept. */
class LiveScoringTest {

  private static SHARNNConfig.Builder builder() {
    return TinyModel.builder().memoryLength(60);
  }

  private static Model model(SHARNNConfig.Builder options) {
    return TinyModel.of(options, DataType.FLOAT32, 0.4f);
  }

  private static byte[] randomBytes(int seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private static void assertClose(List<TokenScore> actual, List<TokenScore> expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      assertThat(actual.get(i).token()).isEqualTo(expected.get(i).token());
      assertThat(actual.get(i).logProbability())
          .as("log-probability of byte %s", i)
          .isCloseTo(expected.get(i).logProbability(), within(1e-5f));
      assertThat(actual.get(i).entropy())
          .as("entropy at byte %s", i)
          .isCloseTo(expected.get(i).entropy(), within(1e-5f));
    }
  }

  /** A stream that gives some bytes, then pauses until the next read. */
  private static InputStream pausing(byte[] text, int... pieces) {
    return new InputStream() {
      private int next;
      private int piece;

      @Override
      public int read() {
        throw new AssertionError("reads single bytes");
      }

      @Override
      public int read(byte[] target, int offset, int length) {
        if (next == text.length) {
          return -1;
        }
        int count = Math.min(pieces[piece++ % pieces.length], Math.min(length, text.length - next));
        System.arraycopy(text, next, target, offset, count);
        next += count;
        return count;
      }
    };
  }

  @Test
  void a_text_that_comes_in_pieces_is_scored_at_once_and_as_a_whole() throws IOException {
    byte[] text = randomBytes(5, 70);
    for (SHARNNConfig.Builder options :
        List.of(
            builder().memoryLength(16), builder().memoryLength(30), builder().attentionLayers())) {
      try (Model model = model(options)) {
        for (int segment : new int[] {7, 16}) {
          Scorer scorer = Scorer.builder(model).segmentLength(segment).build();
          Score whole = scorer.score(text);
          for (int[] pieces : new int[][] {{1}, {3, 10}, {31, 2, 1}, {70}}) {
            List<TokenScore> live = new ArrayList<>();
            int[] sizes = {0, 0}; // of the text read so far, of the scores
            InputStream in = pausing(text, pieces);
            InputStream checked =
                new FilterInputStream(in) {
                  @Override
                  public int read(byte[] target, int offset, int length) throws IOException {
                    assertThat(live).as("scored before the next read").hasSize(sizes[0]);
                    int count = super.read(target, offset, length);
                    sizes[0] += Math.max(count, 0);
                    return count;
                  }
                };
            Score.Totals totals = scorer.score(checked, live::add);
            assertClose(live, whole.tokens());
            assertThat(totals.bitsPerByte()).isCloseTo(whole.totals().bitsPerByte(), within(1e-5));
          }
        }
      }
    }
  }

  @Test
  void waits_for_full_segments_if_the_memory_is_shorter() throws IOException {
    byte[] text = randomBytes(6, 50);
    try (Model model = model(builder().memoryLength(8))) {
      Scorer scorer = Scorer.builder(model).segmentLength(20).build();
      List<TokenScore> live = new ArrayList<>();
      scorer.score(pausing(text, 3), live::add);
      assertClose(live, scorer.score(text).tokens());
    }
  }

  @Test
  void a_stream_need_not_know_what_has_come() throws IOException {
    byte[] text = randomBytes(7, 30);
    InputStream silent =
        new FilterInputStream(pausing(text, 4)) {
          @Override
          public int available() throws IOException {
            throw new IOException("Illegal seek");
          }
        };
    try (Model model = model(builder())) {
      Scorer scorer = Scorer.builder(model).build();
      List<TokenScore> live = new ArrayList<>();
      scorer.score(silent, live::add);
      assertClose(live, scorer.score(text).tokens());
    }
  }

  @Test
  void totals_are_those_of_the_scores() {
    List<byte[]> texts =
        IntStream.of(5, 0, 90, 33, 1, 20).mapToObj(length -> randomBytes(length, length)).toList();
    try (Model model = model(builder())) {
      Scorer scorer = Scorer.builder(model).segmentLength(9).batchSize(4).build();
      assertThat(scorer.totals(texts))
          .usingRecursiveComparison()
          .isEqualTo(scorer.scoreAll(texts).stream().map(Score::totals).toList());
      assertThat(scorer.totals(List.of())).isEmpty();
    }
  }
}
