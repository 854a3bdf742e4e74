package io.github.sharnn.io;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;

/** Names of options, and the one that a misspelt name was meant to be. */
public final class Names {

  private Names() {}

  /**
   * Returns the end of an error message about an unknown name, with a leading space.
   *
   * @param name the unknown name
   * @param known the known names
   * @return the known name that is most like it, or all known names if none is like it
   */
  public static String suggestion(String name, Collection<String> known) {
    String lower = name.toLowerCase(Locale.ROOT);
    Optional<String> nearest =
        known.stream()
            .min(Comparator.comparing(other -> distance(lower, other.toLowerCase(Locale.ROOT))))
            .filter(
                other -> distance(lower, other.toLowerCase(Locale.ROOT)) <= 1 + name.length() / 3);
    return nearest
        .map(other -> " did you mean " + other + "?")
        .orElseGet(() -> " the known names are " + String.join(", ", known));
  }

  /** Counts the letters to insert, delete or replace that turn a name into another one. */
  static int distance(String from, String to) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j <= to.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[to.length()];
  }
}
