package io.github.sharnn.cli.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.DoubleStream;
import org.jspecify.annotations.Nullable;

/** The points of one line in a chart. A point whose y is NaN is a gap; x is always finite. */
public record Curve(List<Double> x, List<Double> y) {

  private static final int POINTS = 200; // of a smooth curve
  private static final int ENOUGH = 50; // a curve with this many points can lose some
  private static final int FEW = 40; // a curve with at most this many marks each point
  private static final int STEEP = 4; // points of the steep start

  Curve() {
    this(new ArrayList<>(), new ArrayList<>());
  }

  /** Returns one point for each step that has the second figure, which is a gap if it is NaN. */
  public static Curve of(
      List<RunMetrics.Step> steps,
      Function<RunMetrics.Step, Double> x,
      Function<RunMetrics.Step, @Nullable Double> y) {
    Curve curve = new Curve();
    for (RunMetrics.Step step : steps) {
      Double value = y.apply(step);
      if (value != null) {
        curve.x.add(x.apply(step));
        curve.y.add(value);
      }
    }
    return curve;
  }

  /**
   * Returns a smooth curve: means of equal numbers of points. Gaps do not count, and a group of
   * gaps alone is a gap.
   */
  public Curve smooth() {
    Curve means = new Curve();
    int size = Math.max(x.size() / POINTS, 1);
    for (int from = 0; from + size <= x.size(); from += size) {
      List<Double> values = y.subList(from, from + size);
      means.x.add(x.get(from + size - 1));
      means.y.add(finite(values).average().orElse(Double.NaN));
    }
    return means;
  }

  private static DoubleStream finite(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).filter(Double::isFinite);
  }

  /** Returns the curve without its steep start, if it has many points. */
  public Curve withoutStart() {
    return x.size() < ENOUGH
        ? this
        : new Curve(x.subList(STEEP, x.size()), y.subList(STEEP, y.size()));
  }

  /** Returns the number of points that are no gaps. */
  long points() {
    return finite(y).count();
  }

  /** Returns the largest y. */
  double largest() {
    return finite(y).max().orElseThrow();
  }

  /** Tells if the curve has nothing but gaps. */
  public boolean isEmpty() {
    return points() == 0;
  }

  /** Tells if each point needs a mark, because a line alone could miss some. */
  public boolean isSparse() {
    return points() <= FEW;
  }
}
