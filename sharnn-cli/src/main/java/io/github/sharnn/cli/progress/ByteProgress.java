package io.github.sharnn.cli.progress;

import ai.djl.util.Progress;
import io.github.sharnn.train.progress.LiveLine;
import io.github.sharnn.train.progress.ProgressLine;
import java.io.PrintStream;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** Progress through a file, printed like a {@link ProgressLine}. */
public final class ByteProgress implements Progress {

  private static final double PLAIN_SECONDS = 10;

  private final PrintStream out;
  private final @Nullable LiveLine live; // null without a terminal
  private final LongSupplier nanoTime;
  private String task = "";
  private long total;
  private long done;
  private long begun;
  private long printed; // time of the last plain line

  /** Creates a progress line on standard output. */
  public ByteProgress() {
    this(System.out, terminalWidth(), System::nanoTime);
  }

  ByteProgress(PrintStream out, int width, LongSupplier nanoTime) {
    this.out = out;
    live = width > 0 ? new LiveLine(out, width) : null;
    this.nanoTime = nanoTime;
  }

  /** Returns the width of the terminal in characters, or 0 without one. */
  public static int terminalWidth() {
    return LiveLine.hasTerminal() ? CommandSpec.create().usageMessage().autoWidth(true).width() : 0;
  }

  @Override
  public void reset(String message, long max, @Nullable String trailingMessage) {
    task = message;
    total = max;
    done = 0;
    begun = nanoTime.getAsLong();
    printed = begun;
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
    long now = nanoTime.getAsLong();
    if (live != null) {
      live.show(text(now));
    } else if ((now - printed) / 1e9 >= PLAIN_SECONDS) {
      printed = now;
      out.println(text(now));
    }
  }

  private String text(long now) {
    double speed = done / ((now - begun) / 1e9);
    Duration left = Duration.ofSeconds(Math.round((total - done) / speed));
    return Texts.format(
        "%s %,d of %,d bytes  %,.0f bytes/s  %s left",
        task, done, total, speed, ProgressLine.format(left));
  }

  /** Ends the line on a terminal. */
  @Override
  public void end() {
    if (live != null) {
      live.close();
    }
  }
}
