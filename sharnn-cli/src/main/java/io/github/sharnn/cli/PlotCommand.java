package io.github.sharnn.cli;

import static com.google.common.base.Strings.lenientFormat;
import static io.github.sharnn.cli.progress.Texts.print;

import io.github.sharnn.cli.report.Curve;
import io.github.sharnn.cli.report.RunMetrics;
import io.github.sharnn.cli.report.Svg;
import io.github.sharnn.io.AtomicFile;
import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * {@code sharnn.jar plot}: draws the learning curves of runs from the files of {@code train
 * --metrics}.
 */
@Command(
    name = "plot",
    description =
        "Draw the learning curves of one or more runs: training and validation BPC against time.")
final class PlotCommand implements Callable<Integer> {

  private static final int WIDTH = 900;
  private static final int HEIGHT = 540;

  @Parameters(
      paramLabel = "RUN.jsonl",
      arity = "1..*",
      description = "Files that train --metrics wrote.")
  private List<Path> files;

  @Option(names = "--output", paramLabel = "SVG", description = "A new file for the picture.")
  private Path output = Path.of("curves.svg");

  @Override
  public Integer call() throws Exception {
    Sharnn.checkNew(output, "--output");
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .theme(ChartTheme.Matlab)
            .xAxisTitle("seconds")
            .yAxisTitle("bits per character")
            .build();
    chart
        .getStyler()
        .setPlotGridLinesColor(Color.LIGHT_GRAY)
        .setPlotGridLinesStroke(new BasicStroke(0.5f)) // dashes make a large file
        .setLegendPosition(LegendPosition.InsideNE);
    for (int i = 0; i < files.size(); i++) {
      addRun(chart, i, files.get(i));
    }
    AtomicFile.write(output, Svg.of(chart, "curves") + "\n");
    System.out.println("drawn in " + output);
    return 0;
  }

  private static void addRun(XYChart chart, int index, Path file) throws IOException {
    RunMetrics run = RunMetrics.read(file);
    if (run.skipped() > 0) {
      print(
          "%s: %,d of %,d steps were skipped because loss or gradients were not finite%n",
          file, run.skipped(), run.steps().size());
    }
    if (run.damagedLines() > 0) {
      print("%s: %,d damaged lines were passed over%n", file, run.damagedLines());
    }
    Curve train = Curve.of(run.steps(), RunMetrics.Step::seconds, RunMetrics.Step::trainPoint);
    Curve validation =
        Curve.of(run.steps(), RunMetrics.Step::seconds, RunMetrics.Step::validationPoint);
    String fileName = file.toString().replaceFirst("\\.jsonl$", "");
    boolean again =
        chart.getSeriesMap().keySet().stream().anyMatch(key -> key.startsWith(fileName + ", "));
    String name = again ? lenientFormat("%s (%s)", fileName, index + 1) : fileName;
    Color[] colors = chart.getStyler().getSeriesColors();
    Color color = colors[index % colors.length];
    addSeries(chart, name + ", train", train.smooth().withoutStart(), color, 1);
    addSeries(chart, name + ", validation", validation, color, 2);
  }

  private static void addSeries(XYChart chart, String name, Curve curve, Color color, float width) {
    if (curve.x().isEmpty()) {
      return; // a run without an evaluation yet
    }
    XYSeries series = chart.addSeries(name, curve.x(), curve.y());
    series.setLineColor(color);
    series.setMarkerColor(color);
    series.setLineStyle(new BasicStroke(width));
    series.setMarker(width > 1 || curve.isSparse() ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
  }
}
