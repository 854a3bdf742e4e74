package io.github.sharnn.cli.lines;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.TrainedModelTest;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;

class ParallelScorerTest extends TrainedModelTest {

  @Test
  void each_line_gets_the_score_of_a_single_call() throws Exception {
    List<byte[]> lines = new ArrayList<>();
    for (int i = 0; i < 130; i++) {
      lines.add(("abcd efgh ".repeat(i % 7) + i + "\n").getBytes(UTF_8));
    }
    Model loaded = SHARNN.load(model);
    Scorer scorer = Scorer.builder(loaded).cacheBytes(1 << 20).build();
    Scorer alone = Scorer.builder(loaded).build();
    try (ParallelScorer parallel = new ParallelScorer(scorer, 3)) {
      for (List<byte[]> some : List.of(lines, lines, lines.subList(0, 7))) {
        List<Score.Totals> totals = parallel.totals(some);
        assertThat(totals).hasSameSizeAs(some);
        for (int i = 0; i < totals.size(); i++) {
          assertThat(totals.get(i).bitsPerByte())
              .isCloseTo(alone.score(some.get(i)).totals().bitsPerByte(), within(1e-5));
        }
      }
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> parallel.totals(lines)).isInstanceOf(CancellationException.class);
      assertThat(Thread.interrupted()).isTrue();
      loaded.close();
      assertThatIllegalStateException().isThrownBy(() -> parallel.totals(lines));
    }
  }
}
