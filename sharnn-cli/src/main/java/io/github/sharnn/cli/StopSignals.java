package io.github.sharnn.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * Ctrl-C and its like while a command runs: the first asks it to stop where it can go on from, the
 * second ends the process at once.
 *
 * <p>Through {@code sun.misc.Signal} of the module {@code jdk.unsupported}, by reflection, since
 * the compiler warns of it: a shutdown hook, Java's own way, is not told of a second signal.
 */
final class StopSignals implements BooleanSupplier, AutoCloseable {

  private static final Map<String, Integer> NUMBERS = Map.of("HUP", 1, "INT", 2, "TERM", 15);
  private static final int SIGNALLED = 128; // what a shell adds to the number

  private final Map<String, Object> before = new HashMap<>();
  private volatile int exitCode;

  /** Starts to listen. */
  StopSignals() {
    for (String name : NUMBERS.keySet()) {
      try {
        before.put(name, handle(name, handler(name)));
      } catch (InvocationTargetException e) {
        // this system does not have it, or the JVM was started with -Xrs: as without this class
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
          received(name); // the JVM calls no other method of it
          return null;
        });
  }

  /** Sets what a signal does; returns what it did. */
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
    System.err.println("stopping after this step; once more to stop at once");
  }

  /** Whether there was a signal. */
  @Override
  public boolean getAsBoolean() {
    return exitCode != 0;
  }

  /** What the process exits with: 130 for Ctrl-C, 143 for SIGTERM. */
  int exitCode() {
    return exitCode;
  }

  /** Lets signals do again what they did. */
  @Override
  public void close() {
    before.forEach(
        (name, handler) -> {
          try {
            handle(name, handler);
          } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("the handler of SIG" + name + " can't be put back", e);
          }
        });
  }
}
