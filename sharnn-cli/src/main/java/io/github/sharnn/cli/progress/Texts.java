package io.github.sharnn.cli.progress;

import java.util.Locale;

/** Text whose numbers look the same in every locale. */
public final class Texts {

  private Texts() {}

  /** Formats values as {@link String#format} does. */
  public static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }

  /** Prints formatted values to standard output. */
  public static void print(String pattern, Object... values) {
    System.out.print(format(pattern, values));
  }
}
