package io.github.sharnn.cli.progress;

import io.github.sharnn.train.StepReport;
import java.io.Console;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/**
 * Progress of a training run: step, time left, smoothed training BPC, last validation BPC and bytes
 * a second. It is one live line on a terminal, or a plain line every ten seconds without one.
 */
public final class ProgressLine implements Consumer<StepReport>, AutoCloseable {

  private static final double SMOOTHING = 0.98;
  private static final int TERMINAL_MILLIS = 200;
  static final double PLAIN_SECONDS = 10;

  private final PrintStream out;
  private final int width; // of the terminal; 0 without one
  private @Nullable ProgressBar bar; // of the stage, on a terminal
  private volatile Duration left = Duration.ZERO; // the bar's thread reads it
  private double trainBpc = Double.NaN;
  private double validationBpc = Double.NaN;
  private double printed = Double.NEGATIVE_INFINITY; // time of the last plain line

  /** Creates a progress line on standard output. */
  public ProgressLine() {
    this(System.out, terminalWidth());
  }

  public ProgressLine(PrintStream out, int width) {
    this.out = out;
    this.width = width;
  }

  /** Returns the width of the terminal in characters, or 0 without one. */
  static int terminalWidth() {
    return isTerminal() ? CommandSpec.create().usageMessage().autoWidth(true).width() : 0;
  }

  /** Tells if there is a terminal. From Java 22 on, a console exists even without a terminal. */
  private static boolean isTerminal() {
    Console console = System.console();
    if (console == null) {
      return false;
    }
    try {
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (NoSuchMethodException e) {
      return true; // before Java 22, a console is a terminal
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
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
    left = Duration.ofSeconds(Math.round(report.seconds() * (1 / report.used() - 1)));
    if (width > 0) {
      live(report);
    } else if (report.used() >= 1
        || report.evaluated()
        || report.seconds() - printed >= PLAIN_SECONDS) {
      printed = report.seconds();
      out.println(plain(report));
    }
    if (report.used() >= 1) {
      end();
    }
  }

  private void live(StepReport report) {
    if (bar == null) {
      bar =
          bar(out, width)
              .setTaskName("step")
              .setEtaFunction(state -> Optional.of(left))
              .startsFrom(0, Duration.ofMillis(Math.round(report.seconds() * 1000)))
              .build();
    }
    bar.setExtraMessage(
        Texts.format(
            "left, train %.3f%s BPC, %,.1f kB/s",
            trainBpc,
            Double.isNaN(validationBpc) ? "" : Texts.format(", valid %.3f", validationBpc),
            report.bytes() / report.seconds() / 1000));
    bar.maxHint(Math.max(report.step(), Math.round(report.step() / report.used())));
    bar.stepTo(report.step());
  }

  /** Starts a bar that rewrites one line of a terminal. */
  static ProgressBarBuilder bar(PrintStream out, int width) {
    // a fixed width: if the bar asked the terminal, it would also take over Ctrl-C
    return new ProgressBarBuilder()
        .setStyle(ProgressBarStyle.ASCII)
        .setUpdateIntervalMillis(TERMINAL_MILLIS)
        .setConsumer(
            new DelegatingProgressBarConsumer(
                line -> {
                  out.print("\r" + line);
                  out.flush();
                },
                width - 1));
  }

  /** Formats a time as h:mm:ss. */
  public static String format(Duration time) {
    return Texts.format("%d:%02d:%02d", time.toHours(), time.toMinutesPart(), time.toSecondsPart());
  }

  /** Ends the line on a terminal, even if early stopping ended the run before its budget. */
  public void end() {
    if (bar != null) {
      bar.close();
      bar = null;
      out.println();
    }
  }

  @Override
  public void close() {
    end();
  }

  private String plain(StepReport report) {
    return Texts.format(
        "step %d  train %.3f BPC  valid %s  %,.0f bytes/s  %s left ",
        report.step(),
        trainBpc,
        Double.isNaN(validationBpc) ? "-" : Texts.format("%.3f BPC", validationBpc),
        report.bytes() / report.seconds(),
        format(left));
  }
}
