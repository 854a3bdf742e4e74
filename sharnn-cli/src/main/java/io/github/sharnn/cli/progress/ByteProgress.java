package io.github.sharnn.cli.progress;

import ai.djl.util.Progress;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * Progress through a file: one live line on a terminal, or a plain line every ten seconds without
 * one, as {@link ProgressLine} has them.
 */
public final class ByteProgress implements Progress {

  private static final int TERMINAL_MILLIS = 200;
  private static final double PLAIN_SECONDS = 10;

  private final PrintStream out;
  private final int width; // of the terminal; 0 without one
  private final LongSupplier nanoTime;
  private @Nullable ProgressBar bar; // on a terminal
  private String task = "";
  private long total;
  private long done;
  private long begun;
  private long printed; // time of the last plain line

  /** Creates a progress line on standard output. */
  public ByteProgress() {
    this(System.out, ProgressLine.terminalWidth(), System::nanoTime);
  }

  ByteProgress(PrintStream out, int width, LongSupplier nanoTime) {
    this.out = out;
    this.width = width;
    this.nanoTime = nanoTime;
  }

  @Override
  public void reset(String message, long max, @Nullable String trailingMessage) {
    task = message;
    total = max;
    done = 0;
    begun = nanoTime.getAsLong();
    printed = begun;
    if (width > 0) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(message)
              .setInitialMax(max)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(TERMINAL_MILLIS)
              .setUnit(" bytes", 1)
              .showSpeed()
              // a fixed width: a bar that asks the terminal takes over its Ctrl-C
              .setConsumer(new DelegatingProgressBarConsumer(this::rewrite, width - 1))
              .build();
    }
  }

  private void rewrite(String line) {
    out.print("\r" + line);
    out.flush();
  }

  @Override
  public void start(long initialProgress) {
    update(initialProgress);
  }

  @Override
  public void increment(long increment) {
    update(done + increment);
  }

  @Override
  public void update(long progress, @Nullable String message) {
    done = progress;
    if (bar != null) {
      bar.stepTo(progress);
      return;
    }
    long now = nanoTime.getAsLong();
    if ((now - printed) / 1e9 >= PLAIN_SECONDS) {
      printed = now;
      double speed = done / ((now - begun) / 1e9);
      Duration left = Duration.ofSeconds(Math.round((total - done) / speed));
      out.printf(
          Locale.ROOT,
          "%s %,d of %,d bytes  %,.0f bytes/s  %d:%02d:%02d left%n",
          task,
          done,
          total,
          speed,
          left.toHours(),
          left.toMinutesPart(),
          left.toSecondsPart());
    }
  }

  /** Ends the line on a terminal. */
  @Override
  public void end() {
    if (bar != null) {
      bar.close();
      bar = null;
      out.println();
    }
  }
}
