package io.github.sharnn.cli.report;

import static com.google.common.base.Strings.lenientFormat;
import static io.github.sharnn.cli.progress.Texts.format;

import com.google.common.collect.Lists;
import com.google.common.hash.Hashing;
import com.google.common.html.HtmlEscapers;
import com.google.common.io.BaseEncoding;
import com.google.common.io.Resources;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.github.sharnn.AttentionWeights;
import io.github.sharnn.RunHeader;
import io.github.sharnn.cli.report.RunMetrics.Settings;
import io.github.sharnn.cli.report.RunMetrics.Step;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.train.progress.ProgressLine;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A page of HTML on one or more runs. It opens offline and loads no other file. All text of a run
 * is escaped, and the page's policy allows only the two scripts that this class puts into it.
 */
public final class ReportPage {

  private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{(\\w+)}");
  private static final Pattern CHARACTER = Pattern.compile("\\X");
  private static final int NAME_LENGTH = 30;
  private static final String DOTS = "...";
  private static final String UPLOT = "/META-INF/resources/webjars/uplot/1.6.30/";

  private final List<RunMetrics> runs = new ArrayList<>();
  private final List<String> names = new ArrayList<>();
  private final ReportData data = new ReportData();
  private final StringBuilder attention = new StringBuilder();

  /** Adds a run, and its model's attention on a text; null for a run without a saved model. */
  public void add(
      RunMetrics run,
      byte[] text,
      @Nullable TextVocabulary vocabulary,
      @Nullable List<AttentionWeights> layers) {
    String name = shorten(visible(run.name()), NAME_LENGTH);
    runs.add(run);
    names.add(names.contains(name) ? lenientFormat("%s (%s)", name, runs.size()) : name);
    List<AttentionWeights> shown = layers == null ? List.of() : layers;
    List<String> tokens = shown.isEmpty() ? List.of() : ReportData.tokens(vocabulary, text);
    data.add(run, names.get(names.size() - 1), tokens, shown);
    attention.append(lenientFormat("<h3>%s</h3>\n", escape(names.get(names.size() - 1))));
    if (layers == null) {
      attention.append(
          note(
              "No attention: this run has no saved model. Draw the report again after the model is saved."));
    } else if (layers.isEmpty()) {
      attention.append(note("The model has no attention, or no tokens for the text."));
    } else {
      attention
          .append(
              note(
                  "Point at a token, or use the arrow keys, to shade the tokens that it"
                      + " attends to. Click a token to keep it and point at others to read their weights."))
          .append(lenientFormat("<div data-attention=\"%s\"></div>\n", runs.size() - 1));
    }
  }

  private static String note(String text) {
    return lenientFormat("<p class=\"note\">%s</p>\n", text);
  }

  /** Writes the page, or replaces an older one. */
  public void write(Path file) throws IOException {
    AtomicFile.write(file, html());
  }

  String html() throws IOException {
    return html(0);
  }

  /** Returns the page, which fetches itself again after so many seconds; 0 for never. */
  String html(int refreshSeconds) throws IOException {
    String title = runs.size() == 1 ? "Run " + names.get(0) : "Runs " + String.join(", ", names);
    Map<String, String> parts = new HashMap<>();
    parts.put("title", escape(title));
    parts.put("refresh", String.valueOf(refreshSeconds));
    parts.put(
        "written",
        lenientFormat(
            "Written %s by SHARNN for Java %s.",
            Instant.now().truncatedTo(ChronoUnit.SECONDS), RunHeader.version()));
    parts.put("results", results());
    parts.put("samples", samples());
    parts.put("attention", attention.toString());
    parts.put("settings", settings());
    parts.put("data", data.json());
    parts.put("picture", CurvesSvg.of(runs, names));
    parts.put("style", resource("report.css"));
    parts.put("uplotStyle", resource(UPLOT + "dist/uPlot.min.css"));
    parts.put("script", resource("report.js"));
    String licence = lenientFormat("/*\n%s*/\n", resource(UPLOT + "LICENSE"));
    parts.put("uplot", licence + resource(UPLOT + "dist/uPlot.iife.min.js"));
    parts.put(
        "policy",
        lenientFormat(
            "default-src 'none'; script-src %s %s; style-src %s %s; connect-src %s; base-uri 'none';"
                + " form-action 'none'",
            hash(parts.get("uplot")),
            hash(parts.get("script")),
            hash(parts.get("uplotStyle")),
            hash(parts.get("style")),
            refreshSeconds > 0 ? "'self'" : "'none'"));
    return PLACEHOLDER
        .matcher(resource("report.html"))
        .replaceAll(match -> Matcher.quoteReplacement(parts.get(match.group(1))));
  }

  /** Returns a source for the policy that allows exactly this text of a script or a style. */
  private static String hash(String text) {
    byte[] sha256 = Hashing.sha256().hashString(text, StandardCharsets.UTF_8).asBytes();
    return lenientFormat("'sha256-%s'", BaseEncoding.base64().encode(sha256));
  }

  /** Reads a text file of this package or of the class path, with Unix line ends. */
  private static String resource(String name) throws IOException {
    return Resources.toString(Resources.getResource(ReportPage.class, name), StandardCharsets.UTF_8)
        .replace("\r\n", "\n");
  }

  private String results() {
    StringBuilder rows = new StringBuilder();
    row(
        rows,
        "best validation, bits per character",
        run ->
            run.evaluations().stream()
                .min(Comparator.comparing(Step::validationBpc))
                .map(step -> format("%.4f at step %,d", step.validationBpc(), step.step()))
                .orElse(null));
    row(rows, "test, bits per character", run -> test(run.test()));
    row(
        rows,
        "test, perplexity of a word",
        run ->
            run.test() == null || run.test().wordPerplexity() == null
                ? null
                : Figures.readable(run.test().wordPerplexity()));
    row(rows, "steps", run -> format("%,d", run.last().step()));
    row(rows, "bytes trained on", run -> format("%,d", run.last().bytes()));
    row(
        rows,
        "time, h:mm:ss",
        run -> ProgressLine.format(Duration.ofSeconds(Math.round(run.last().seconds()))));
    row(
        rows,
        "average speed, kB/s",
        run ->
            run.last().seconds() == 0
                ? null
                : format("%,.1f", run.last().bytes() / run.last().seconds() / 1000));
    row(
        rows,
        "steps skipped because loss or gradients were not finite",
        run -> format("%,d", run.skipped()));
    if (runs.stream().anyMatch(run -> run.damagedLines() > 0)) {
      row(rows, "damaged lines of metrics", run -> format("%,d", run.damagedLines()));
    }
    row(
        rows,
        "memory",
        run ->
            run.steps().stream()
                .map(Step::memory)
                .filter(Objects::nonNull)
                .max(Comparator.comparing(RunMetrics.Memory::bytes))
                .map(memory -> format("%,d MiB %s", memory.bytes() >> 20, memory.source()))
                .orElse(null));
    return table(rows);
  }

  private static @Nullable String test(RunMetrics.@Nullable Test test) {
    if (test == null) {
      return null;
    }
    return format(
            "%s (%,d bytes, %d streams)",
            test.bitsPerCharacter() == null
                ? "not finite"
                : format("%.4f", test.bitsPerCharacter()),
            test.predictedBytes(),
            test.streams())
        + (test.lostBytes() == null // an old file
            ? ""
            : Figures.lost(test.lostBytes(), test.bitsPerCharacterSpelled()));
  }

  private String settings() {
    StringBuilder rows = new StringBuilder();
    settings(rows, Settings::provenance);
    settings(rows, Settings::training);
    settings(rows, Settings::model);
    return table(rows);
  }

  private void settings(StringBuilder rows, Function<Settings, JsonObject> part) {
    Function<RunMetrics, JsonObject> object =
        run -> Optional.ofNullable(run.settings()).map(part).orElseGet(JsonObject::new);
    Set<String> keys = new LinkedHashSet<>();
    runs.forEach(run -> keys.addAll(object.apply(run).keySet()));
    for (String key : keys) {
      row(rows, key, run -> text(object.apply(run).get(key)));
    }
  }

  private static @Nullable String text(@Nullable JsonElement value) {
    return value == null || value.isJsonNull()
        ? null
        : value.isJsonPrimitive() ? value.getAsString() : value.toString();
  }

  /** Adds a row with a cell for each run, and marks it if the cells differ. */
  private void row(StringBuilder rows, String name, Function<RunMetrics, @Nullable String> value) {
    List<String> cells =
        runs.stream().map(value).map(cell -> cell == null ? "-" : escape(cell)).toList();
    boolean differs = cells.stream().distinct().count() > 1;
    rows.append(differs ? "<tr class=\"differs\">" : "<tr>");
    rows.append("<th>").append(escape(name)).append("</th>");
    cells.forEach(cell -> rows.append("<td>").append(cell).append("</td>"));
    rows.append("</tr>\n");
  }

  private String table(StringBuilder rows) {
    StringBuilder head = new StringBuilder("<th></th>");
    names.forEach(name -> head.append("<th>").append(escape(name)).append("</th>"));
    return lenientFormat(
        "<div class=\"table\"><table>\n<thead><tr>%s</tr></thead>\n<tbody>\n%s</tbody>\n</table></div>",
        head, rows);
  }

  private String samples() {
    StringBuilder html = new StringBuilder();
    for (int i = 0; i < runs.size(); i++) {
      RunMetrics run = runs.get(i);
      List<Step> steps = run.steps().stream().filter(step -> step.sample() != null).toList();
      html.append(lenientFormat("<h3>%s</h3>\n", escape(names.get(i))));
      html.append(
          steps.isEmpty()
              ? note("None were generated.")
              : note("Prompt:") + lenientFormat("<pre>%s</pre>\n", escape(run.text())));
      for (Step step : Lists.reverse(steps)) {
        html.append(step == steps.get(steps.size() - 1) ? "<details open=\"open\">" : "<details>")
            .append(
                format(
                    "<summary>step %,d, validation %s</summary>\n" + "<pre>%s</pre>\n</details>\n",
                    step.step(),
                    step.validationBpc() == null
                        ? "not finite"
                        : format("%.4f bits per character", step.validationBpc()),
                    escape(step.sample())));
      }
    }
    return html.toString();
  }

  private static String escape(byte[] text) {
    return escape(new String(text, StandardCharsets.UTF_8));
  }

  private static String escape(String text) {
    return HtmlEscapers.htmlEscaper().escape(visible(text));
  }

  /** Shortens a text between two of its characters, which may have several code points each. */
  static String shorten(String text, int length) {
    if (text.length() <= length) {
      return text;
    }
    Matcher character = CHARACTER.matcher(text);
    int end = 0;
    while (character.find() && character.end() <= length - DOTS.length()) {
      end = character.end();
    }
    return text.substring(0, end) + DOTS;
  }

  /** Replaces control characters by visible symbols, and characters that XML forbids by U+FFFD. */
  static String visible(String text) {
    StringBuilder visible = new StringBuilder();
    text.codePoints()
        .map(
            c -> {
              if (c == '\n' || c == '\t') {
                return c;
              }
              if (c < ' ') {
                return 0x2400 + c;
              }
              boolean hidden =
                  c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069;
              boolean none = c >= 0xd800 && c < 0xe000 || c == 0xfffe || c == 0xffff;
              return hidden || none ? 0xfffd : c;
            })
        .forEach(visible::appendCodePoint);
    return visible.toString();
  }
}
