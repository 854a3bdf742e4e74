package io.github.sharnn.cli.report;

import com.google.common.collect.Lists;
import io.github.sharnn.cli.report.RunMetrics.Step;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Steps in at most 400 groups of one size, but for the last, so that a picture stays small. */
record StepGroups(List<List<Step>> groups) {

  private static final int MOST = 400;

  static StepGroups of(List<Step> steps) {
    return new StepGroups(Lists.partition(steps, Math.max((steps.size() + MOST - 1) / MOST, 1)));
  }

  /** Tells if each group is a single step. */
  boolean single() {
    return groups.isEmpty() || groups.get(0).size() == 1;
  }

  /** Returns the last step of each group. */
  List<Step> last() {
    return groups.stream().map(group -> group.get(group.size() - 1)).toList();
  }

  /**
   * Returns mean, smallest and largest finite value of a figure in each group. A group without a
   * finite value is a gap, whose statistics are empty.
   */
  List<DoubleSummaryStatistics> figure(Function<Step, @Nullable Double> figure) {
    return groups.stream()
        .map(
            group ->
                group.stream()
                    .map(figure)
                    .filter(Objects::nonNull)
                    .mapToDouble(Double::doubleValue)
                    .filter(Double::isFinite)
                    .summaryStatistics())
        .toList();
  }
}
