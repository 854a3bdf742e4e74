package io.github.sharnn.examples;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.util.JsonUtils;
import com.google.gson.JsonParseException;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Dimension;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.batik.svggen.SVGGraphics2D;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;
import org.w3c.dom.Document;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * {@code sharnn.jar plot}: the learning curves of runs, from what {@code train --metrics} wrote.
 */
@Command(
    name = "plot",
    description = "Draw training and validation BPC of one run or more against time.",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false)
final class PlotCommand implements Callable<Integer> {

  private static final int WIDTH = 900;
  private static final int HEIGHT = 540;
  private static final int POINTS = 200; // of a training curve, each the mean of its steps
  private static final int LEFT_OUT = 4; // of them, at the steep start

  @Parameters(paramLabel = "RUN.jsonl", arity = "1..*", description = "Files of train --metrics.")
  private List<Path> files;

  @Option(names = "--output", paramLabel = "SVG", description = "A new file for the picture.")
  private Path output = Path.of("curves.svg");

  /** What is drawn of a step. */
  private record Line(long step, double seconds, double trainBpc, Double validationBpc) {}

  /** The points of one curve. */
  private record Curve(List<Double> seconds, List<Double> bpc) {

    Curve() {
      this(new ArrayList<>(), new ArrayList<>());
    }

    void add(double x, double y) {
      seconds.add(x);
      bpc.add(y);
    }

    /** Means of equal numbers of points, without the start. */
    Curve smooth() {
      Curve means = new Curve();
      int size = Math.max(seconds.size() / POINTS, 1);
      for (int from = size * LEFT_OUT; from + size <= seconds.size(); from += size) {
        List<Double> values = bpc.subList(from, from + size);
        double mean = values.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
        means.add(seconds.get(from + size - 1), mean);
      }
      return means;
    }
  }

  @Override
  public Integer call() throws Exception {
    if (Files.exists(output)) {
      throw new FileAlreadyExistsException(output.toString(), null, "--output");
    }
    System.setProperty("java.awt.headless", "true"); // draw, and open no window
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
    write(chart);
    System.out.println("drawn in " + output);
    return 0;
  }

  private static void addRun(XYChart chart, Path file) throws IOException {
    Curve train = new Curve();
    Curve validation = new Curve();
    double begin = 0; // of the stage
    double seconds = 0;
    for (String text : Files.readAllLines(file)) {
      Line line = parse(file, text);
      if (line.step() == 1) {
        begin = seconds;
      }
      seconds = begin + line.seconds();
      train.add(seconds, line.trainBpc());
      if (line.validationBpc() != null) {
        validation.add(seconds, line.validationBpc());
      }
    }
    String name = file.toString().replaceFirst("\\.jsonl$", "");
    Color[] colors = chart.getStyler().getSeriesColors();
    Color color = colors[chart.getSeriesMap().size() / 2 % colors.length];
    addSeries(chart, name + ", train", train.smooth(), color)
        .setMarker(SeriesMarkers.NONE)
        .setLineStyle(new BasicStroke(1));
    addSeries(chart, name + ", validation", validation, color)
        .setMarker(SeriesMarkers.CIRCLE)
        .setLineStyle(new BasicStroke(2));
  }

  private static Line parse(Path file, String text) {
    try {
      Line line = JsonUtils.GSON.fromJson(text, Line.class);
      checkArgument(line != null && line.step() > 0, "no step");
      return line;
    } catch (JsonParseException | IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "%s must hold lines as train --metrics writes them, but has: %s".formatted(file, text),
          e);
    }
  }

  private static XYSeries addSeries(XYChart chart, String name, Curve curve, Color color) {
    checkArgument(!curve.bpc().isEmpty(), "%s has too few steps for a curve", name);
    XYSeries series = chart.addSeries(name, curve.seconds(), curve.bpc());
    series.setLineColor(color);
    series.setMarkerColor(color);
    return series;
  }

  private void write(XYChart chart) throws IOException, ParserConfigurationException {
    Document document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .getDOMImplementation()
            .createDocument("http://www.w3.org/2000/svg", "svg", null);
    SVGGraphics2D graphics = new SVGGraphics2D(document);
    graphics.setSVGCanvasSize(new Dimension(WIDTH, HEIGHT));
    chart.paint(graphics, WIDTH, HEIGHT);
    try (BufferedWriter writer = Files.newBufferedWriter(output)) {
      graphics.stream(writer, true);
    }
  }
}
