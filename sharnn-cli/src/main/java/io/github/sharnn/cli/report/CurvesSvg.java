package io.github.sharnn.cli.report;

import static io.github.sharnn.cli.progress.Texts.format;

import com.google.common.xml.XmlEscapers;
import io.github.sharnn.cli.report.RunMetrics.Step;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Bits per character of runs against time as an SVG picture, for a README or a paper. */
public final class CurvesSvg {

  private static final int WIDTH = 900;
  private static final int HEIGHT = 480;
  private static final int LEFT = 64;
  private static final int RIGHT = 700;
  private static final int TOP = 24;
  private static final int BOTTOM = 424;
  private static final int TICKS = 6;
  private static final int FEW = 40; // a curve with at most this many points marks each point
  private static final int ENOUGH = 50; // a curve with this many points can lose its start
  private static final int STEEP = 20; // the start is 1/20 of it
  // told apart by people who see fewer colours, on white
  static final List<String> COLORS =
      List.of("#0072b2", "#d55e00", "#cc79a7", "#6b3d00", "#222222", "#332288");

  /** A curve; a point without values is a gap. */
  private record Curve(
      String name,
      String color,
      boolean validation,
      List<Double> x,
      List<DoubleSummaryStatistics> y) {

    private Curve withoutStart() {
      int start = validation || x.size() < ENOUGH ? 0 : x.size() / STEEP;
      return new Curve(
          name, color, validation, x.subList(start, x.size()), y.subList(start, y.size()));
    }

    private boolean isEmpty() {
      return y.stream().allMatch(value -> value.getCount() == 0);
    }
  }

  private final List<Curve> curves = new ArrayList<>();
  private final double unit; // seconds
  private final StringBuilder svg = new StringBuilder();
  private double right; // largest x
  private double low = Double.POSITIVE_INFINITY;
  private double high = Double.NEGATIVE_INFINITY;

  private CurvesSvg(double unit) {
    this.unit = unit;
  }

  /** Draws runs, each with its name in the legend. */
  public static String of(List<RunMetrics> runs, List<String> names) {
    double seconds = runs.stream().mapToDouble(run -> run.last().seconds()).max().orElseThrow();
    CurvesSvg picture = new CurvesSvg(seconds < 300 ? 1 : seconds < 3 * 3600 ? 60 : 3600);
    for (int i = 0; i < runs.size(); i++) {
      // a run alone has a colour for each of its curves
      int second = runs.size() == 1 ? 1 : i;
      picture.add(names.get(i), color(i), false, runs.get(i).steps(), Step::trainBpc);
      picture.add(
          names.get(i), color(second), true, runs.get(i).evaluations(), Step::validationBpc);
    }
    return picture.draw();
  }

  private static String color(int index) {
    return COLORS.get(index % COLORS.size());
  }

  private void add(
      String run,
      String color,
      boolean validation,
      List<Step> steps,
      Function<Step, @Nullable Double> figure) {
    StepGroups groups = StepGroups.of(steps);
    List<Double> x = groups.last().stream().map(step -> step.seconds() / unit).toList();
    String name = run + (validation ? ", valid" : ", train");
    Curve curve = new Curve(name, color, validation, x, groups.figure(figure)).withoutStart();
    if (!curve.isEmpty()) {
      curves.add(curve);
      right = Math.max(right, x.get(x.size() - 1));
      for (DoubleSummaryStatistics value : curve.y()) {
        if (value.getCount() > 0) {
          low = Math.min(low, value.getAverage());
          high = Math.max(high, value.getAverage());
        }
      }
    }
  }

  private String draw() {
    if (curves.isEmpty()) {
      low = 0;
      high = 1;
    }
    right = right == 0 ? 1 : right;
    double margin = high > low ? (high - low) / 20 : Math.max(Math.abs(high) / 20, 1);
    low -= margin;
    high += margin;
    svg.append(
        format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\""
                + " font-family=\"Helvetica, Arial, sans-serif\" font-size=\"14\" fill=\"#222\">\n"
                + "<title>Bits per character against time</title>\n"
                + "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT));
    for (double tick : ticks(0, right)) {
      line(x(tick), TOP, x(tick), BOTTOM);
      text(x(tick), BOTTOM + 20, "middle", label(tick));
    }
    for (double tick : ticks(low, high)) {
      line(LEFT, y(tick), RIGHT, y(tick));
      text(LEFT - 8, y(tick) + 5, "end", label(tick));
    }
    String time = unit == 1 ? "seconds" : unit == 60 ? "minutes" : "hours";
    text((LEFT + RIGHT) / 2.0, HEIGHT - 12, "middle", time);
    text(LEFT, TOP - 8, "start", "bits per character");
    for (int i = 0; i < curves.size(); i++) {
      draw(curves.get(i));
      double middle = TOP + 20 * i;
      svg.append(
          format("<path d=\"M%d %.1fh24\" %s/>\n", RIGHT + 12, middle - 5, style(curves.get(i))));
      text(RIGHT + 42, middle, "start", curves.get(i).name());
    }
    return svg.append("</svg>\n").toString();
  }

  private void draw(Curve curve) {
    StringBuilder path = new StringBuilder();
    StringBuilder marks = new StringBuilder();
    boolean gap = true;
    long points = curve.y().stream().filter(value -> value.getCount() > 0).count();
    for (int i = 0; i < curve.x().size(); i++) {
      DoubleSummaryStatistics value = curve.y().get(i);
      if (value.getCount() == 0) {
        gap = true;
        continue;
      }
      double x = x(curve.x().get(i));
      double y = y(value.getAverage());
      path.append(format("%s%.1f %.1f", gap ? "M" : "L", x, y));
      gap = false;
      if (points <= FEW) {
        marks.append(
            format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x, y, curve.color()));
      }
    }
    svg.append(format("<path d=\"%s\" %s/>\n", path, style(curve))).append(marks);
  }

  private static String style(Curve curve) {
    return format(
        "fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"",
        curve.color(), curve.validation() ? "2.5" : "1");
  }

  private void line(double x1, double y1, double x2, double y2) {
    svg.append(format("<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#d8d8d8\"/>\n", x1, y1, x2, y2));
  }

  private void text(double x, double y, String anchor, String text) {
    svg.append(
        format(
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
            x, y, anchor, XmlEscapers.xmlContentEscaper().escape(ReportPage.visible(text))));
  }

  private double x(double value) {
    return LEFT + (RIGHT - LEFT) * value / right;
  }

  private double y(double value) {
    return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low);
  }

  /** Returns round numbers in a range: multiples of 1, 2 or 5 times a power of ten. */
  static List<Double> ticks(double from, double to) {
    double power = Math.pow(10, Math.floor(Math.log10((to - from) / TICKS)));
    double share = (to - from) / TICKS / power;
    double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    List<Double> ticks = new ArrayList<>();
    double first = Math.ceil(from / step);
    for (int i = 0; i <= 2 * TICKS && (first + i) * step <= to; i++) {
      ticks.add((first + i) * step);
    }
    return ticks;
  }

  private static String label(double tick) {
    return new BigDecimal(format("%.6g", tick)).stripTrailingZeros().toPlainString();
  }
}
