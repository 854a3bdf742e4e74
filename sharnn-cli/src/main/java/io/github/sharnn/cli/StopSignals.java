package io.github.sharnn.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * Ctrl-C and similar signals while a command runs. The first signal asks the command to stop at a
 * point that it can resume from; a second signal ends the process at once.
 *
 * <p>A shutdown hook would not see the second signal, so this class uses {@code sun.misc.Signal} of
 * the module {@code jdk.unsupported}. It uses reflection, since the compiler warns of a direct use.
 */
final class StopSignals implements BooleanSupplier, AutoCloseable {

  private static final Map<String, Integer> NUMBERS = Map.of("HUP", 1, "INT", 2, "TERM", 15);
  private static final int SIGNALLED = 128; // a shell adds this to the signal's number

  private final Map<String, Object> before = new HashMap<>();
  private volatile int exitCode;

  /** Installs the handlers. */
  StopSignals() {
    for (String name : NUMBERS.keySet()) {
      try {
        before.put(name, handle(name, handler(name)));
      } catch (InvocationTargetException e) {
        // the system lacks this signal, or the JVM runs with -Xrs: the signal keeps its default
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("this Java lacks the module jdk.unsupported", e);
      }
    }
  }

  private Object handler(String name) throws ClassNotFoundException {
    Class<?> type = Class.forName("sun.misc.SignalHandler");
    return Proxy.newProxyInstance(
        StopSignals.class.getClassLoader(),
        new Class<?>[] {type},
        (proxy, method, arguments) -> {
          received(name); // the only method that the JVM calls
          return null;
        });
  }

  /** Sets the handler of a signal and returns the previous one. */
  private static Object handle(String name, Object handler) throws ReflectiveOperationException {
    Class<?> type = Class.forName("sun.misc.Signal");
    return type.getMethod("handle", type, Class.forName("sun.misc.SignalHandler"))
        .invoke(null, type.getConstructor(String.class).newInstance(name), handler);
  }

  private void received(String name) {
    int code = SIGNALLED + NUMBERS.get(name);
    if (exitCode != 0) {
      Runtime.getRuntime().halt(code);
    }
    exitCode = code;
    System.err.println("stopping after this step; send the signal again to stop at once");
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
    before.forEach(
        (name, handler) -> {
          try {
            handle(name, handler);
          } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("the handler of SIG" + name + " can't be restored", e);
          }
        });
  }
}
