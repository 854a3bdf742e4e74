package io.github.sharnn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import java.util.List;
import org.junit.jupiter.api.Test;

class GenerationBenchmarkTest {

  @Test
  void measures_at_each_position() {
    try (Model model = Tiny.model()) {
      List<GenerationBenchmark.Result> results =
          new GenerationBenchmark(model, null, 5).run(3, 30, 12);
      assertThat(results).hasSize(2);
      assertThat(results.get(0).position()).isEqualTo(12);
      assertThat(results.get(1).position()).isEqualTo(30);
      for (GenerationBenchmark.Result result : results) {
        assertThat(result.streams()).isEqualTo(3);
        assertThat(result.milliseconds()).isPositive().isLessThan(1000 * 60);
        // three of five steps take the median or longer
        assertThat(result.tokensPerSecond())
            .isPositive()
            .isLessThan(1.001 * 5 / 3 * 3000 / result.milliseconds());
      }
    }
  }

  @Test
  void rejects_what_it_cannot_measure() {
    try (Model model = Tiny.model()) {
      assertThatThrownBy(() -> new GenerationBenchmark(model, DataType.FLOAT32, 0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("steps must be at least 1, but is 0");
      assertThatThrownBy(() -> new GenerationBenchmark(model, null, 9).run(1, 8))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("a position must be at least steps (9)");
      assertThatThrownBy(() -> new GenerationBenchmark(model, null, 9).run(0, 9))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("capacity must be at least 1 stream, but is 0");
    }
  }
}
