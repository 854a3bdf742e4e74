package io.github.sharnn.examples;

import io.github.sharnn.train.StepReport;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * One line that a terminal rewrites in place, or a plain line every ten seconds where there is
 * none: step, smoothed training BPC, last validation BPC, bytes a second, time left.
 */
final class ProgressLine implements Consumer<StepReport> {

  private static final double SMOOTHING = 0.98;
  private static final double TERMINAL_SECONDS = 0.2;
  private static final double PLAIN_SECONDS = 10;

  private final PrintStream out;
  private final boolean terminal;
  private double trainBpc = Double.NaN;
  private double validationBpc = Double.NaN;
  private double printed;
  private boolean open; // the terminal's cursor is in the line

  ProgressLine(PrintStream out) {
    this.out = out;
    this.terminal = System.console() != null;
  }

  @Override
  public void accept(StepReport report) {
    if (report.step() == 1) { // of a stage
      end();
      trainBpc = Double.NaN;
      validationBpc = Double.NaN;
      printed = Double.NEGATIVE_INFINITY;
    }
    trainBpc =
        Double.isNaN(trainBpc)
            ? report.trainBpc()
            : SMOOTHING * trainBpc + (1 - SMOOTHING) * report.trainBpc();
    if (report.evaluated()) {
      validationBpc = report.validationBpc();
    }
    boolean last = report.used() >= 1;
    double pause = terminal ? TERMINAL_SECONDS : PLAIN_SECONDS;
    if (last || report.evaluated() || report.seconds() - printed >= pause) {
      printed = report.seconds();
      String line = line(report);
      if (terminal) {
        out.print("\r" + line);
        out.flush();
        open = true;
      } else {
        out.println(line);
      }
    }
    if (last) {
      end();
    }
  }

  /** Ends the line on a terminal, where patience ended the run before its budget did. */
  void end() {
    if (open) {
      out.println();
      open = false;
    }
  }

  private String line(StepReport report) {
    Duration left =
        Duration.ofSeconds(Math.round(report.seconds() * (1 - report.used()) / report.used()));
    return String.format(
        Locale.ROOT,
        "step %d  train %.3f BPC  valid %s  %,.0f bytes/s  %d:%02d left ",
        report.step(),
        trainBpc,
        Double.isNaN(validationBpc) ? "-" : String.format(Locale.ROOT, "%.3f BPC", validationBpc),
        report.bytes() / report.seconds(),
        left.toMinutes(),
        left.toSecondsPart());
  }
}
