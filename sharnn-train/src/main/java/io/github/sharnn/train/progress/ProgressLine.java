package io.github.sharnn.train.progress;

import io.github.sharnn.train.StepReport;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Progress of a training run: step, smoothed training BPC, last validation BPC, bytes a second and
 * time left.
 *
 * <pre>{@code
 * SHARNNTrainer.builder(model).onStep(new ProgressLine()).build().fit(corpus, budget);
 * }</pre>
 *
 * <p>On a terminal, the text is one line that is rewritten in place until an evaluation. Elsewhere,
 * plain lines come after step 1 and each evaluation, and in between after about 1, 2, 4 and 8
 * seconds and then every ten seconds.
 */
public final class ProgressLine implements Consumer<StepReport>, AutoCloseable {

  private static final double SMOOTHING = 0.98;
  private static final double FIRST_SECONDS = 1;
  private static final double PLAIN_SECONDS = 10;
  private static final int USUAL_WIDTH = 80;

  private final PrintStream out;
  private final @Nullable LiveLine live; // null without a terminal
  private long step; // the last one
  private double trainBpc = Double.NaN;
  private double validationBpc = Double.NaN;
  private double printed = Double.NEGATIVE_INFINITY; // time of the last plain line

  /** Creates a progress line on standard output, 80 characters wide on a terminal. */
  public ProgressLine() {
    this(System.out, LiveLine.hasTerminal() ? USUAL_WIDTH : 0);
  }

  /**
   * Creates a progress line.
   *
   * @param out gets the text
   * @param width characters of the terminal, or 0 for plain lines
   */
  public ProgressLine(PrintStream out, int width) {
    this.out = out;
    live = width > 0 ? new LiveLine(out, width) : null;
  }

  /**
   * Shows a step.
   *
   * @param report the figures of the step; a step that does not follow the one before begins a new
   *     stage or run, or repeats steps after a rollback
   */
  @Override
  public void accept(StepReport report) {
    if (report.step() <= step) {
      end();
      trainBpc = Double.NaN;
      validationBpc = Double.NaN;
      printed = Double.NEGATIVE_INFINITY;
    }
    step = report.step();
    trainBpc =
        Double.isFinite(trainBpc)
            ? SMOOTHING * trainBpc + (1 - SMOOTHING) * report.trainBpc()
            : report.trainBpc();
    if (report.evaluated()) {
      validationBpc = report.validationBpc();
    }
    boolean last = report.used() >= 1 || report.evaluated();
    if (live != null) {
      live.show(text(report));
      if (last) {
        end();
      }
    } else if (last || report.seconds() - printed >= interval()) {
      printed = report.seconds();
      out.println(text(report));
    }
  }

  /** Returns the seconds to the next plain line; the first ones come sooner. */
  private double interval() {
    return Math.min(Math.max(FIRST_SECONDS, printed), PLAIN_SECONDS);
  }

  private String text(StepReport report) {
    return String.format(
        Locale.ROOT,
        "step %d  train %.3f BPC  valid %s  %,.0f bytes/s  %s left",
        report.step(),
        trainBpc,
        Double.isNaN(validationBpc) ? "-" : String.format(Locale.ROOT, "%.3f BPC", validationBpc),
        report.bytes() / report.seconds(),
        format(Duration.ofSeconds(Math.round(report.seconds() * (1 / report.used() - 1)))));
  }

  /**
   * Formats a time as h:mm:ss.
   *
   * @param time a time
   * @return the text
   */
  public static String format(Duration time) {
    return String.format(
        Locale.ROOT, "%d:%02d:%02d", time.toHours(), time.toMinutesPart(), time.toSecondsPart());
  }

  /** Ends the line on a terminal, as a stopped run must before it prints something else. */
  public void end() {
    if (live != null) {
      live.close();
    }
  }

  /** Ends the line. */
  @Override
  public void close() {
    end();
  }
}
