package io.github.sharnn.cli.report;

import static io.github.sharnn.cli.progress.Texts.format;

import com.google.common.primitives.Floats;
import io.github.sharnn.AttentionWeights;
import io.github.sharnn.cli.report.RunMetrics.Step;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.knowm.xchart.HeatMapChart;
import org.knowm.xchart.HeatMapChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The charts of a report. Each chart is one {@code svg} element, and its legend names the runs. */
public record RunCharts(List<RunMetrics> runs, List<String> names) {

  private static final int WIDTH = 560; // readable on a telephone too
  private static final int HEIGHT = 340; // with a legend of one line
  private static final int LINE = 22; // height of a line in the legend
  private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 13);
  private static final double MARGIN = 1.03;
  private static final int HEAT_SIZE = 640;
  private static final int HEAT_LEGEND = 220;
  private static final int SHADES = 8;
  private static final int LONGEST_LABEL = 12;
  private static final DecimalFormat SHARE = // XChart's own is in the default locale
      new DecimalFormat("0.###", DecimalFormatSymbols.getInstance(Locale.ROOT));
  private static final double MEBIBYTE = 1 << 20;
  private static final Color[] HEAT = // from light to dark red
      IntStream.range(0, SHADES)
          .mapToObj(i -> (i + 0.5f) / SHADES)
          .map(share -> Color.getHSBColor(0.03f, share, 1 - share / 2))
          .toArray(Color[]::new);

  /**
   * Draws each figure of the runs against time, data or steps. Skips a figure that no run has, but
   * not bits per character against time.
   */
  List<String> curves() {
    Function<Step, Double> steps = step -> (double) step.step();
    List<XYChart> charts =
        List.of(
            againstTime(),
            bitsPerCharacter("data trained on (MB)", step -> step.bytes() / 1e6),
            chart("Learning rate", "thousandths", steps, perStep(Step::learningRate, 1e-3)),
            chart(
                "Gradient norm before clipping",
                "L2 norm, no unit",
                steps,
                perStep(Step::gradientNorm, 1)),
            chart("Loss scale", "factor", steps, perStep(Step::lossScale, 1)),
            chart("Speed", "kB/s", steps, perStep(Step::bytesPerSecond, 1000)),
            chart(
                "Memory at evaluations",
                "MiB",
                steps,
                step -> step.memory() == null ? null : step.memory().bytes() / MEBIBYTE));
    List<String> drawn = new ArrayList<>();
    for (XYChart chart : charts) {
      if (drawn.isEmpty() || !chart.getSeriesMap().isEmpty()) {
        drawn.add(Svg.of(chart, "curves" + drawn.size()));
      }
    }
    return drawn;
  }

  /** Draws bits per character against time. */
  public String overTime() {
    return Svg.of(againstTime(), "curves");
  }

  private XYChart againstTime() {
    double seconds = runs.stream().mapToDouble(run -> run.last().seconds()).max().orElseThrow();
    double unit = seconds < 300 ? 1 : seconds < 3 * 3600 ? 60 : 3600;
    String time = "time (" + (unit == 1 ? "seconds" : unit == 60 ? "minutes" : "hours") + ")";
    return bitsPerCharacter(time, step -> step.seconds() / unit);
  }

  /** Returns a figure that each step should have, in another unit; NaN if a step lacks it. */
  private static Function<Step, Double> perStep(
      Function<Step, @Nullable Double> figure, double unit) {
    return step -> {
      Double value = figure.apply(step);
      return value == null ? Double.NaN : value / unit;
    };
  }

  private XYChart bitsPerCharacter(String xTitle, Function<Step, Double> x) {
    XYChart chart = empty("Bits per character", xTitle, "bits per character", 2 * runs.size());
    for (int i = 0; i < runs.size(); i++) {
      List<Step> steps = runs.get(i).steps();
      Curve train = Curve.of(steps, x, Step::trainPoint).smooth().withoutStart();
      add(chart, i, ", train", train, 1, false);
      add(chart, i, ", valid", Curve.of(steps, x, Step::validationPoint), 2, false);
    }
    return chart;
  }

  private XYChart chart(
      String title, String unit, Function<Step, Double> x, Function<Step, @Nullable Double> y) {
    XYChart chart = empty(title, "step", unit, runs.size());
    for (int i = 0; i < runs.size(); i++) {
      add(chart, i, "", Curve.of(runs.get(i).steps(), x, y).smooth(), 1.5f, true);
    }
    return chart;
  }

  private static XYChart empty(String title, String xTitle, String yTitle, int series) {
    XYChart chart =
        new XYChartBuilder()
            .title(title)
            .width(WIDTH)
            .height(HEIGHT + LINE * (series + 1) / 2)
            .theme(ChartTheme.Matlab)
            .xAxisTitle(xTitle)
            .yAxisTitle(yTitle)
            .build();
    style(chart.getStyler());
    chart
        .getStyler()
        .setXAxisTickMarkSpacingHint(90)
        .setYAxisTickMarkSpacingHint(50)
        .setXAxisDecimalPattern("#,##0.####")
        .setYAxisDecimalPattern("#,##0.####")
        .setPlotGridLinesColor(Color.LIGHT_GRAY)
        .setPlotGridLinesStroke(new BasicStroke(0.5f)); // dashes make a large file
    return chart;
  }

  private static void style(AxesChartStyler styler) {
    styler
        .setAxisTickLabelsFont(FONT)
        .setChartBackgroundColor(Color.WHITE)
        .setLegendPosition(LegendPosition.OutsideS)
        .setLegendLayout(LegendLayout.Vertical)
        .setLegendFont(FONT);
  }

  private void add(
      XYChart chart, int run, String suffix, Curve curve, float width, boolean fromZero) {
    if (curve.isEmpty()) {
      return;
    }
    Color[] colors = chart.getStyler().getSeriesColors();
    Color color = colors[run % colors.length];
    XYSeries series = chart.addSeries(names.get(run) + suffix, curve.x(), curve.y());
    series.setLineColor(color);
    series.setMarkerColor(color);
    series.setLineStyle(new BasicStroke(width));
    AxesChartStyler styler = chart.getStyler();
    // a margin beyond the data, since XChart spaces its ticks equally
    styler.setXAxisMin(0.0).setXAxisMax(larger(styler.getXAxisMax(), Collections.max(curve.x())));
    if (fromZero) {
      styler.setYAxisMin(0.0).setYAxisMax(larger(styler.getYAxisMax(), curve.largest()));
    }
    series.setMarker(curve.isSparse() ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
  }

  private static double larger(@Nullable Double max, double value) {
    double here = MARGIN * value;
    return max == null ? here : Math.max(max, here);
  }

  /**
   * Draws a layer's attention weights as a heat map. The name becomes a prefix of the SVG's ids.
   */
  static String heatMap(AttentionWeights attention, List<String> labels, String name) {
    List<Number[]> cells = new ArrayList<>();
    for (int t = 0; t < labels.size(); t++) {
      float largest = Floats.max(attention.weights()[t]);
      for (int j = 0; j <= t; j++) {
        float share = attention.weights()[t][j] / largest;
        cells.add(new Number[] {j, t, Float.isFinite(share) ? share : 0}); // no NaN in a picture
      }
    }
    HeatMapChart chart =
        new HeatMapChartBuilder()
            .title("Attention of layer " + attention.layer() + ": weight / largest of its row")
            .width(HEAT_SIZE)
            .height(HEAT_SIZE + HEAT_LEGEND)
            .theme(ChartTheme.Matlab)
            .xAxisTitle("token attended to")
            .yAxisTitle("token read")
            .build();
    style(chart.getStyler());
    chart
        .getStyler()
        .setRangeColors(HEAT)
        .setMin(0)
        .setMax(1)
        .setPiecewise(true) // Batik drops gradients
        .setSplitNumber(SHADES)
        .setHeatMapDecimalValueFormatter(SHARE::format)
        .setPlotGridLinesVisible(false)
        .setAxisTickLabelsFont(new Font(Font.MONOSPACED, Font.PLAIN, 9));
    chart.addSeries("weight", labels, labels, cells);
    return Svg.of(chart, name);
  }

  /** Labels a text's tokens: a byte outside ASCII in hexadecimal, a long word by its beginning. */
  static List<String> labels(TextVocabulary vocabulary, byte[] text) {
    return IntStream.of(vocabulary.encode(text))
        .mapToObj(
            token ->
                vocabulary == TextVocabulary.bytes()
                    ? byteLabel(token)
                    : ReportPage.shorten(
                        ReportPage.visible(vocabulary.getToken(token)), LONGEST_LABEL))
        .toList();
  }

  private static String byteLabel(int value) {
    return value > ' ' && value < 0x7f ? String.valueOf((char) value) : format("%02x", value);
  }
}
