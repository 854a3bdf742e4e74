package io.github.sharnn.cli.progress;

import ai.djl.util.Progress;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;

/** Progress through a file, printed like a {@link ProgressLine}. */
public final class ByteProgress implements Progress {

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
          ProgressLine.bar(out, width)
              .setTaskName(message)
              .setInitialMax(max)
              .setUnit(" bytes", 1)
              .showSpeed()
              .build();
    }
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
    if ((now - printed) / 1e9 >= ProgressLine.PLAIN_SECONDS) {
      printed = now;
      double speed = done / ((now - begun) / 1e9);
      Duration left = Duration.ofSeconds(Math.round((total - done) / speed));
      out.printf(
          Locale.ROOT,
          "%s %,d of %,d bytes  %,.0f bytes/s  %s left%n",
          task,
          done,
          total,
          speed,
          ProgressLine.format(left));
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
