package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.cli.report.RunMetrics.Step;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StepGroupsTest {

  /** y = 2x at x = 1, 2, ... */
  private static StepGroups line(int points) {
    return StepGroups.of(
        IntStream.rangeClosed(1, points)
            .mapToObj(x -> new Step(1, 1, 1, x, 2.0 * x, null, null, null, null, null, null, null))
            .toList());
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "1, 1", "400, 1", "401, 2", "800, 2", "1000, 3"})
  void have_the_mean_and_the_bounds_of_so_many_points_where_they_end(int points, int each) {
    StepGroups groups = line(points);
    assertThat(groups.single()).isEqualTo(each == 1);
    int whole = points / each;
    List<Step> ends = groups.last();
    List<DoubleSummaryStatistics> values = groups.figure(Step::trainBpc);
    assertThat(ends).hasSameSizeAs(values).hasSize((points + each - 1) / each);
    for (int i = 0; i < whole; i++) {
      int end = (i + 1) * each;
      assertThat(ends.get(i).seconds()).isEqualTo(end);
      // a line's mean is the mean of its first and last point
      assertThat(values.get(i).getAverage()).isEqualTo(2.0 * end - (each - 1));
      assertThat(values.get(i).getMin()).isEqualTo(2.0 * (end - each + 1));
      assertThat(values.get(i).getMax()).isEqualTo(2.0 * end);
    }
    if (points > 0) { // the rest ends the last group
      assertThat(ends.get(ends.size() - 1).seconds()).isEqualTo(points);
    }
  }

  @Test
  void have_gaps_where_steps_lack_the_figure() {
    assertThat(line(3).figure(Step::validationBpc))
        .extracting(DoubleSummaryStatistics::getCount)
        .containsExactly(0L, 0L, 0L);
  }

  @Test
  void a_picture_has_round_ticks() {
    assertThat(CurvesSvg.ticks(0, 33)).containsExactly(0.0, 10.0, 20.0, 30.0);
    assertThat(CurvesSvg.ticks(1.21, 1.39)).hasSize(3).first().isEqualTo(1.25);
    assertThat(CurvesSvg.ticks(1e16, 1e16 + 4)).hasSizeLessThan(20);
  }
}
