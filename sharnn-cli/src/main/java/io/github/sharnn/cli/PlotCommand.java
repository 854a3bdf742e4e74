package io.github.sharnn.cli;

import static com.google.common.base.Strings.lenientFormat;
import static io.github.sharnn.cli.progress.Texts.print;

import io.github.sharnn.cli.report.CurvesSvg;
import io.github.sharnn.cli.report.RunMetrics;
import io.github.sharnn.io.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar plot}: draws the learning curves of runs. */
@Command(
    name = "plot",
    description =
        "Draw the learning curves of one or more runs: training and validation BPC against time.")
final class PlotCommand implements Callable<Integer> {

  @Parameters(
      paramLabel = "RUN.jsonl",
      arity = "1..*",
      description = "Files that train --metrics wrote.")
  private List<Path> files;

  @Option(names = "--output", paramLabel = "SVG", description = "A new file for the picture.")
  private Path output = Path.of("curves.svg");

  @Override
  public Integer call() throws Exception {
    Sharnn.checkNewFile(output, "--output");
    List<RunMetrics> runs = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (Path file : files) {
      runs.add(read(file));
      String name = file.toString().replaceFirst("\\.jsonl$", "");
      names.add(names.contains(name) ? lenientFormat("%s (%s)", name, runs.size()) : name);
    }
    AtomicFile.write(output, CurvesSvg.of(runs, names));
    System.out.println("drawn in " + output);
    return 0;
  }

  private static RunMetrics read(Path file) throws IOException {
    RunMetrics run = RunMetrics.read(file);
    if (run.skipped() > 0) {
      print(
          "%s: %,d of %,d steps were skipped because loss or gradients were not finite%n",
          file, run.skipped(), run.steps().size());
    }
    if (run.damagedLines() > 0) {
      print("%s: %,d damaged lines were passed over%n", file, run.damagedLines());
    }
    return run;
  }
}
