package io.github.sharnn.cli;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Callable;
import org.slf4j.LoggerFactory;

/** The output of a program and its exit code. */
public record Outcome(int code, String out, String err) {

  static {
    // --verbose sets a property that SLF4J reads once in a process: no test may leave it to the
    // next
    LoggerFactory.getLogger(Outcome.class);
  }

  /** Runs a command of {@code sharnn.jar}. */
  public static Outcome run(Object... args) {
    return capture(
        () -> Sharnn.run(Arrays.stream(args).map(Object::toString).toArray(String[]::new)));
  }

  /** Runs any program. */
  public static Outcome capture(Callable<Integer> program) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
    ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(outBytes, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(errBytes, true, StandardCharsets.UTF_8));
    try {
      int code = program.call();
      return new Outcome(
          code,
          outBytes.toString(StandardCharsets.UTF_8),
          errBytes.toString(StandardCharsets.UTF_8));
    } catch (Exception e) {
      throw new AssertionError("the program failed", e);
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }
}
