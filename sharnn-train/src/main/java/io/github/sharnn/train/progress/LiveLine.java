package io.github.sharnn.train.progress;

import com.google.common.base.Strings;
import java.io.Console;
import java.io.PrintStream;

/** A line of a terminal that is rewritten in place, at most five times a second. */
public final class LiveLine implements AutoCloseable {

  private static final long INTERVAL = 200_000_000; // nanoseconds

  private final PrintStream out;
  private final int width;
  private String text = ""; // the newest, which may not be on the terminal yet
  private int shown; // length of the text on the terminal
  private long printed; // time of the last print

  /**
   * Creates a line. Nothing is printed yet.
   *
   * @param out the terminal
   * @param width characters of the terminal; longer texts are cut
   */
  public LiveLine(PrintStream out, int width) {
    this.out = out;
    this.width = width;
  }

  /**
   * {@return true if this process has a terminal} From Java 22 on, a console exists even without a
   * terminal.
   */
  public static boolean hasTerminal() {
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

  /**
   * Shows another text.
   *
   * @param newText the text, without an end of line
   */
  public void show(String newText) {
    text = newText;
    if (shown == 0 || System.nanoTime() - printed >= INTERVAL) {
      print();
    }
  }

  private void print() {
    // one column stays free: at the last one, some terminals begin a new line
    String cut = text.substring(0, Math.min(text.length(), width - 1));
    out.print("\r" + Strings.padEnd(cut, shown, ' '));
    out.flush();
    shown = cut.length();
    printed = System.nanoTime();
  }

  /** Prints the newest text and ends the line. The next text begins a new one. */
  @Override
  public void close() {
    if (shown > 0) {
      print();
      out.println();
      shown = 0;
    }
  }
}
