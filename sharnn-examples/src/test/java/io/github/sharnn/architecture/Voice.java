package io.github.sharnn.architecture;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A check of the project's English: comments, Javadoc, messages and documents start no sentence
 * with a word that inverts it, and use the field's verbs.
 *
 * <p>It runs alone too: {@code java Voice.java ROOT [PATH]} prints the findings below a path.
 */
final class Voice {

  /**
   * A sentence that breaks a rule.
   *
   * @param file its file, from the root, with slashes
   * @param line its line, from 1
   * @param text the words that break the rule
   */
  record Finding(String file, int line, String text) {}

  private static final char BREAK = '\u0001'; // ends a sentence without a full stop
  private static final char CODE = '\u00a4'; // stands for a character of code

  private static final String WORDS = "What|Where|Whether|Of|Those|To";
  private static final Pattern BEGINNING =
      Pattern.compile(
          "(?:\\A|\u0001|[.!?:][\"')]*(?=\\s))[\\s\u0001\"'(*_]*"
              + ("(?<word>\\b(?:"
                  + WORDS
                  + ")\\b)(?<rest>[^.!?\u0001]*(?:[.](?!\\s)[^.!?\u0001]*)*)")
              + "(?<end>.?)",
          Pattern.DOTALL);
  private static final Pattern SMALL_BEGINNING =
      Pattern.compile("\\A\\s*(?i:" + WORDS + ")\\b[^.\u0001]*");
  private static final Pattern PHRASE =
      Pattern.compile(
          "(?i)\\b(counts?\\s+for\\s+nothing|chang(e|es|ing)\\s+places|tak(e|es|en)\\s+for\\s+granted"
              + "|turns?\\s+a\\s+draw|refus(e|es|ed|al|als|ing)|go(es|ing)?\\s+on\\s+(with|from))\\b");

  private static final String JAVA_STRING = "\"(?:\\\\.|[^\"\\\\\n])*+\"";
  private static final Pattern JAVA =
      Pattern.compile(
          "(?<doc>/[*][^*].*?[*]/|/[*][*].*?[*]/)|(?<line>//[^\n]*(?:\n[ \t]*//[^\n]*)*)"
              + "|(?<block>\"\"\".*?\"\"\")"
              + ("|(?<string>" + JAVA_STRING + "(?:\\s*[+]\\s*" + JAVA_STRING + ")*)")
              + "|'(?:\\\\[^\n]|[^'\\\\\n])+'",
          Pattern.DOTALL);
  private static final Pattern PYTHON =
      Pattern.compile(
          "(?<doc>\"\"\".*?\"\"\")|(?<line>#[^\n]*(?:\n[ \t]*#[^\n]*)*)"
              + ("|(?<string>" + JAVA_STRING + ")|'(?:\\\\.|[^'\\\\\n])*+'"),
          Pattern.DOTALL);

  private final String file;
  private final String source;
  private final List<Finding> findings = new ArrayList<>();

  private Voice(String file, String source) {
    this.file = file;
    this.source = source;
  }

  public static void main(String[] args) throws IOException {
    String below = args.length > 1 ? args[1] : "";
    for (Finding finding : check(Path.of(args[0]))) {
      if (finding.file().startsWith(below)) {
        System.out.printf(
            Locale.ROOT, "%s:%d: %s%n", finding.file(), finding.line(), finding.text());
      }
    }
  }

  /** Checks the sources and documents of a checkout. */
  static List<Finding> check(Path root) throws IOException {
    List<Finding> findings = new ArrayList<>();
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.filter(Files::isRegularFile).sorted().toList()) {
        String file = root.relativize(path).toString().replace('\\', '/');
        boolean document = file.matches("[A-Z_]+[.]md") || file.matches("docs/(.*/)?[^/]*[.]md");
        if (document || file.matches("sharnn-[a-z]+/src/.*[.](java|py)")) {
          findings.addAll(check(file, Files.readString(path)));
        }
      }
    }
    return findings;
  }

  /** Checks one file, which its name tells apart. */
  static List<Finding> check(String file, String source) {
    Voice voice = new Voice(file, source.replace("\r\n", "\n"));
    if (file.endsWith(".md")) {
      voice.checkText(markdown(voice.source), 0, false);
    } else {
      voice.checkCode(file.endsWith(".py") ? PYTHON : JAVA, !file.contains("/src/test/"));
    }
    return voice.findings;
  }

  private void checkCode(Pattern tokens, boolean main) {
    Matcher matcher = tokens.matcher(source);
    while (matcher.find()) {
      if (matcher.group("doc") != null) {
        checkText(javadoc(matcher.group()), matcher.start(), true);
      } else if (matcher.group("line") != null) {
        String before = source.substring(source.lastIndexOf('\n', matcher.start()) + 1);
        boolean alone = before.substring(0, before.indexOf(matcher.group(), 0)).isBlank();
        checkText(blank(matcher.group(), "(?m)^[ \t]*(//|#)"), matcher.start(), alone);
      } else if (main && matcher.group("string") != null) {
        String text = blank(matcher.group(), "\"\\s*[+]\\s*\"");
        checkText(blank(text, "\\A\"|\"\\z"), matcher.start(), false);
      }
    }
  }

  /**
   * Checks plain text.
   *
   * @param start the text's place in the source
   * @param small whether its first word may not be a forbidden one in small letters either
   */
  private void checkText(String text, int start, boolean small) {
    Matcher beginning = BEGINNING.matcher(text);
    int next = 0;
    while (beginning.find(next)) {
      boolean alone = beginning.group("rest").isBlank(); // a name, not a sentence
      if (!alone && !beginning.group("end").equals("?")) {
        add(start + beginning.start("word"), beginning.group("word") + beginning.group("rest"));
      }
      next = beginning.end("rest");
    }
    Matcher first = SMALL_BEGINNING.matcher(text);
    if (small && first.find() && Character.isLowerCase(first.group().strip().charAt(0))) {
      add(start + first.end() - first.group().stripLeading().length(), first.group());
    }
    Matcher phrase = PHRASE.matcher(text);
    while (phrase.find()) {
      add(start + phrase.start(), phrase.group());
    }
  }

  private void add(int offset, String text) {
    int line = 1 + (int) source.substring(0, offset).chars().filter(c -> c == '\n').count();
    String words = text.strip().replaceAll("\\s+", " ");
    findings.add(new Finding(file, line, words.length() > 70 ? words.substring(0, 70) : words));
  }

  /** Replaces markup by characters of the same number, so that places stay. */
  private static String javadoc(String comment) {
    String text = blank(comment, "\\A(/[*]+|\"\"\")|([*]+/|\"\"\")\\z|(?m)^[ \t]*[*](?!/)");
    text = replace(text, "(?s)<pre>.*?</pre>", m -> fill(m, BREAK));
    text =
        replace(
            text,
            "(?s)\\{@(code|literal|value)\\b[^{}]*(\\{[^{}]*}[^{}]*)*}",
            match -> fill(match, CODE));
    text = replace(text, "\\{@link(plain)?\\s+[^\\s}]+}", match -> fill(match, CODE));
    text = replace(text, "\\{@link(plain)?\\s+[^\\s}]+(?=\\s)", match -> fill(match, ' '));
    text = replace(text, "</?(p|ul|ol|li|table|tr|td|th|h\\d|dl|dt|dd|br)\\b[^>]*>", Voice::end);
    text = blank(text, "<[^>]*>");
    text = replace(text, "(?m)^[ \t]*@(param|throws)\\s+\\S+|^[ \t]*@\\w+", Voice::end);
    return replace(text, "\n[ \t]*(?=\n)", Voice::end);
  }

  private static String markdown(String document) {
    String text = replace(document, "(?ms)^[ \t]*(```|~~~).*?^[ \t]*\\1[^\n]*$", Voice::end);
    text = replace(text, "(?s)<!--.*?-->|<[^>]*>", Voice::end);
    text = replace(text, "`[^`]*`", match -> fill(match, CODE));
    text = replace(text, "(?m)^#+ .*$", Voice::end);
    // a table's cells are not sentences, unless they hold several
    text = replace(text, "(?m)^[ \t]*[|].*$", Voice::cells);
    text = replace(text, "(?m)^[ \t>]*([-*+]|\\d+[.])[ \t]", Voice::end);
    text = replace(text, "\\]\\([^)]*\\)|[\\[*_]", match -> fill(match, ' '));
    return replace(text, "\n[ \t]*(?=\n)", Voice::end);
  }

  private static String cells(String row) {
    return replace(row, "[|][ \t]*[^ \t|]?", Voice::end);
  }

  private static String end(String match) {
    return fill(match, BREAK);
  }

  private static String blank(String text, String pattern) {
    return replace(text, pattern, match -> fill(match, ' '));
  }

  private static String fill(String match, char filler) {
    return match.replaceAll("[^\n]", String.valueOf(filler));
  }

  private static String replace(String text, String pattern, UnaryOperator<String> by) {
    StringBuilder result = new StringBuilder();
    int done = 0;
    for (MatchResult match : Pattern.compile(pattern).matcher(text).results().toList()) {
      result.append(text, done, match.start()).append(by.apply(match.group()));
      done = match.end();
    }
    return result.append(text.substring(done)).toString();
  }
}
