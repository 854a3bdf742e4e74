package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.cli.report.RunMetrics.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CurveTest {

  private static Step step(int second, Double trainBpc) {
    return new Step(1, 1, 1, second, trainBpc, null, null, null, null, null, null, null);
  }

  /** y = 2x at x = 1, 2, ... */
  private static Curve line(int points) {
    List<Step> steps = new ArrayList<>();
    for (int x = 1; x <= points; x++) {
      steps.add(step(x, 2.0 * x));
    }
    return Curve.of(steps, Step::seconds, Step::trainBpc);
  }

  @Test
  void has_the_steps_that_have_the_figure() {
    Curve curve =
        Curve.of(List.of(step(1, 5.0), step(2, null), step(3, 4.0)), Step::seconds, Step::trainBpc);
    assertThat(curve.x()).containsExactly(1.0, 3.0);
    assertThat(curve.y()).containsExactly(5.0, 4.0);
    assertThat(curve.isEmpty()).isFalse();
    assertThat(Curve.of(List.of(step(1, 5.0)), Step::seconds, Step::validationBpc).isEmpty())
        .isTrue();
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "1, 1", "399, 1", "400, 2", "1000, 5", "1001, 5"})
  void a_smooth_one_has_the_mean_of_so_many_points_where_they_end(int points, int each) {
    Curve smooth = line(points).smooth();
    List<Double> ends =
        IntStream.rangeClosed(1, points / each).mapToObj(i -> (double) i * each).toList();
    assertThat(smooth.x()).isEqualTo(ends);
    // a line's mean is the mean of its first and last point
    assertThat(smooth.y()).isEqualTo(ends.stream().map(end -> 2 * end - (each - 1)).toList());
  }

  @Test
  void does_without_its_start_where_it_has_enough() {
    assertThat(line(49).withoutStart()).isEqualTo(line(49));
    Curve rest = line(50).withoutStart();
    assertThat(rest.x()).hasSize(46).startsWith(5.0).endsWith(50.0);
    assertThat(rest.y()).hasSize(46).startsWith(10.0).endsWith(100.0);
  }
}
