package io.github.sharnn.tokenizers;

import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A check of the regular expressions in a {@code tokenizer.json}. It accepts only those that match
 * at least one character and that a backtracking matcher applies in time linear in the text:
 * alternatives of characters, classes and short repetitions, in which an unlimited repetition comes
 * last. The patterns of GPT-2, Llama 3, Qwen and DeepSeek have this form.
 */
final class SafePattern {

  private static final int LONGEST = 1024;
  private static final int MOST_REPETITIONS = 16;
  private static final int MOST_WAYS = 64;
  private static final String SPACES = "\\s+";

  /** Alternatives that are linear if the alternative of white space follows. */
  private static final Set<String> BEFORE_SPACES =
      Set.of("\\s+(?!\\S)", "\\s*[\\r\\n]+", "\\s*[\\r\\n]");

  /** Published patterns of another form: GPT-4o, and BLOOM. */
  private static final Set<String> PUBLISHED =
      Set.of(
          "[^\\r"
              + "\\n"
              + "\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r"
              + "\\n"
              + "\\p{L}\\p{N}]?"
              + "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
              + " ?[^\\s\\p{L}\\p{N}]+[\\r"
              + "\\n"
              + "/]*|\\s*[\\r"
              + "\\n"
              + "]+|\\s+(?!\\S)|\\s+",
          " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+");

  private static final String ESCAPE =
      "\\\\(?:[sSdDwWrnt]|[pP]\\{\\^?[A-Za-z_]{1,30}\\}|[\\p{Punct}&&[^{}]]|[{}])";
  private static final String CLASS =
      "\\[\\^?(?:" + ESCAPE + "|[^\\[\\]\\\\&])(?:" + ESCAPE + "|[^\\[\\]\\\\&]|&(?!&))*\\]";
  private static final String CHARACTER = ESCAPE + "|" + CLASS + "|\\.|[^\\\\^$.|?*+()\\[\\]{}]";
  private static final Pattern ATOM = Pattern.compile("(?:" + CHARACTER + ")");
  private static final Pattern GROUP =
      Pattern.compile("\\(\\?i:" + "C+(?:\\|C+)*\\)".replace("C", "(?:" + CHARACTER + ")"));
  private static final Pattern QUANTIFIER =
      Pattern.compile("\\?|\\*|\\+|\\{(\\d{1,2})(?:(,)(\\d{1,2})?)?\\}");

  private final String regex;
  private int at;

  private SafePattern(String regex) {
    this.regex = regex;
  }

  static boolean isSafe(String regex) {
    return PUBLISHED.contains(regex)
        || (regex.length() <= LONGEST && new SafePattern(regex).alternatives());
  }

  private boolean alternatives() {
    Set<String> all = new HashSet<>();
    do {
      if (at > 0) {
        at++; // the bar
      }
      int from = at;
      String known = known();
      if (known != null) {
        at += known.length();
      } else if (!sequence()) {
        return false;
      }
      all.add(regex.substring(from, at));
    } while (at < regex.length() && regex.charAt(at) == '|');
    boolean needsSpaces = all.stream().anyMatch(BEFORE_SPACES::contains);
    return at == regex.length() && (!needsSpaces || all.contains(SPACES));
  }

  private @Nullable String known() {
    int end = regex.indexOf('|', at);
    String alternative = regex.substring(at, end < 0 ? regex.length() : end);
    return BEFORE_SPACES.contains(alternative) ? alternative : null;
  }

  /** Reads one alternative. */
  private boolean sequence() {
    boolean consumes = false;
    boolean unlimited = false;
    int ways = 1;
    while (at < regex.length() && regex.charAt(at) != '|') {
      int[] range = {1, 1};
      if (!(skip(GROUP) || (skip(ATOM) && quantifier(range)))) {
        return false;
      }
      if (unlimited && range[0] > 0) {
        return false; // would have to give characters back
      }
      consumes |= range[0] > 0;
      if (range[1] == Integer.MAX_VALUE) {
        unlimited = true;
      } else if (unlimited) {
        return false;
      } else {
        ways *= range[1] - range[0] + 1;
        if (ways > MOST_WAYS) {
          return false;
        }
      }
    }
    return consumes;
  }

  private boolean skip(Pattern pattern) {
    Matcher matcher = pattern.matcher(regex).region(at, regex.length());
    if (!matcher.lookingAt()) {
      return false;
    }
    at = matcher.end();
    return true;
  }

  /** Reads the least and the greatest number of repetitions. */
  private boolean quantifier(int[] range) {
    Matcher matcher = QUANTIFIER.matcher(regex).region(at, regex.length());
    if (!matcher.lookingAt()) {
      return true;
    }
    at = matcher.end();
    switch (regex.charAt(matcher.start())) {
      case '?' -> range[0] = 0;
      case '*' -> {
        range[0] = 0;
        range[1] = Integer.MAX_VALUE;
      }
      case '+' -> range[1] = Integer.MAX_VALUE;
      default -> {
        range[0] = Integer.parseInt(matcher.group(1));
        range[1] =
            matcher.group(2) == null
                ? range[0]
                : matcher.group(3) == null ? Integer.MAX_VALUE : Integer.parseInt(matcher.group(3));
      }
    }
    boolean modified = at < regex.length() && "?*+{".indexOf(regex.charAt(at)) >= 0;
    return !modified
        && range[0] <= range[1]
        && range[0] <= MOST_REPETITIONS
        && range[1] > 0
        && (range[1] <= MOST_REPETITIONS || range[1] == Integer.MAX_VALUE);
  }
}
