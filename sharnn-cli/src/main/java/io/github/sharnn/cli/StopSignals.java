package io.github.sharnn.cli;

import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jline.utils.Signals;

/**
 * Ctrl-C and similar signals while a command runs. The first signal asks the command to stop at a
 * point that it can resume from; a second signal ends the process at once.
 */
final class StopSignals implements BooleanSupplier, AutoCloseable {

  private static final Map<String, Integer> NUMBERS = Map.of("HUP", 1, "INT", 2, "TERM", 15);
  private static final int SIGNALLED = 128; // a shell adds this to the signal's number

  private final Map<String, Object> before = new HashMap<>();
  private volatile int exitCode;

  /** Installs the handlers, except for a signal that the system lacks or the JVM keeps (-Xrs). */
  StopSignals() {
    NUMBERS.forEach(
        (name, number) -> before.put(name, Signals.register(name, () -> received(name))));
  }

  private void received(String name) {
    if (exitCode != 0) {
      die(name);
    }
    exitCode = SIGNALLED + NUMBERS.get(name);
    System.err.println("stopping after this step; send the signal again to stop at once");
  }

  /** Ends the process without PyTorch's clean-up, which crashes while another thread computes. */
  private static void die(String name) {
    if (!Platform.isWindows()) {
      Signals.registerDefault(name);
      NativeLibrary.getInstance("c")
          .getFunction("raise")
          .invokeInt(new Object[] {NUMBERS.get(name)});
    }
    Runtime.getRuntime().halt(SIGNALLED + NUMBERS.get(name));
  }

  /** Returns true once a signal has arrived. */
  @Override
  public boolean getAsBoolean() {
    return exitCode != 0;
  }

  /** Returns the exit code of the process: 130 for Ctrl-C, 143 for SIGTERM. */
  int exitCode() {
    return exitCode;
  }

  /** Restores the previous handlers. */
  @Override
  public void close() {
    before.forEach(Signals::unregister);
  }
}
