package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;

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
    for (Path file : files) {
      addRun(chart, file);
    }
    AtomicFile.write(output, Svg.of(chart, "curves") + "\n");
    System.out.println("drawn in " + output);
    return 0;
  }

  private static void addRun(XYChart chart, Path file) throws IOException {
    RunMetrics run = RunMetrics.read(file);
    Curve train = Curve.of(run.steps(), RunMetrics.Step::seconds, RunMetrics.Step::trainBpc);
    Curve validation =
        Curve.of(run.steps(), RunMetrics.Step::seconds, RunMetrics.Step::validationBpc);
    String name = file.toString().replaceFirst("\\.jsonl$", "");
    Color[] colors = chart.getStyler().getSeriesColors();
    Color color = colors[chart.getSeriesMap().size() / 2 % colors.length];
    addSeries(chart, name + ", train", train.smooth().withoutStart(), color)
        .setMarker(SeriesMarkers.NONE)
        .setLineStyle(new BasicStroke(1));
    addSeries(chart, name + ", validation", validation, color)
        .setMarker(SeriesMarkers.CIRCLE)
        .setLineStyle(new BasicStroke(2));
  }

  private static XYSeries addSeries(XYChart chart, String name, Curve curve, Color color) {
    checkArgument(!curve.isEmpty(), "%s has too few steps for a curve", name);
    XYSeries series = chart.addSeries(name, curve.x(), curve.y());
    series.setLineColor(color);
    series.setMarkerColor(color);
    return series;
  }
}
