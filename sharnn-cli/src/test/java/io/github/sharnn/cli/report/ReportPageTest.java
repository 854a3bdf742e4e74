package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.hash.Hashing;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.AttentionWeights;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Attribute;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A page on runs that hold whatever bytes a model may write. */
class ReportPageTest {

  private static final String HOSTILE =
      "</pre><script>x</script>${title} $1 &amp; http://a.b/c.png";
  private static final String CONTROLS = "\\u0000\\u001b[31m\\u202e\\ud800\\uffff";

  @TempDir private static Path folder;
  private static String html;
  private static Document page;
  private static JsonArray runs;

  @BeforeAll
  static void draw() throws Exception {
    Path hostile = Files.createDirectory(folder.resolve("a<b>&"));
    Files.writeString(hostile.resolve("metrics.jsonl"), hostile());
    Path plain =
        Files.writeString(
            folder.resolve("old.jsonl"),
            "{\"stage\":1,\"step\":1,\"bytes\":64,\"seconds\":0.5,\"trainBpc\":8.0}\n");
    ReportPage report = new ReportPage();
    byte[] text = "a<\n\u00e9".getBytes(StandardCharsets.UTF_8);
    float[][] weights = new float[text.length][text.length];
    for (int t = 0; t < text.length; t++) {
      for (int j = 0; j <= t; j++) {
        weights[t][j] = 1f / (t + 1);
      }
    }
    report.add(
        RunMetrics.read(hostile),
        text,
        TextVocabulary.bytes(),
        List.of(new AttentionWeights(0, weights), new AttentionWeights(2, weights)));
    report.add(RunMetrics.read(plain), new byte[0], null, null);
    Path file = folder.resolve("report.html");
    report.write(file);
    report.write(file); // over the older one
    html = Files.readString(file);
    page = Jsoup.parse(html);
    runs = JsonParser.parseString(page.getElementById("data").data()).getAsJsonArray();
  }

  private static String hostile() {
    StringBuilder lines = new StringBuilder();
    lines.append(
        String.format(
            Locale.ROOT,
            "{\"run\":{\"provenance\":{\"command\":\"%s\"},\"training\":{\"seed\":42},\"text\":\"a<\"}}\n",
            HOSTILE));
    for (int step = 1; step <= 1000; step++) {
      lines.append(
          String.format(
              Locale.ROOT,
              "{\"stage\":1,\"step\":%d,\"bytes\":%d,\"seconds\":%d,\"trainBpc\":%f,\"learningRate\":2e-3,"
                  + "\"bytesPerSecond\":1e6,\"lossScale\":65536.0%s}\n",
              step,
              step * 64,
              step,
              2 + 6.0 / step,
              step > 3 ? ",\"gradientNorm\":0.5" : ""));
    }
    lines.append(
        "{\"stage\":2,\"step\":1,\"bytes\":64,\"seconds\":1.0,\"trainBpc\":1.9,\"validationBpc\":1.875,"
            + "\"memory\":{\"bytes\":3145728,\"source\":\"in use\"}}\n");
    lines.append(
        String.format(Locale.ROOT, "{\"sample\":{\"text\":\"%s%s\"}}\n", HOSTILE, CONTROLS));
    lines.append(
        "{\"test\":{\"bitsPerCharacter\":1.8125,\"predictedBytes\":99,\"streams\":4,"
            + "\"wordPerplexity\":21.5,\"lostBytes\":7,\"bitsPerCharacterSpelled\":2.375}}\n");
    return lines.toString();
  }

  private static List<String> texts(String selector) {
    return page.select(selector).stream().map(Element::wholeText).toList();
  }

  @Test
  void asks_for_no_other_file() {
    assertThat(page.select("link, iframe, object, embed, img, image, base, a, form, use"))
        .isEmpty();
    assertThat(page.select("svg")).hasSameSizeAs(page.select("noscript > svg"));
    for (Element element : page.getAllElements()) {
      for (Attribute attribute : element.attributes()) {
        assertThat(attribute.getKey())
            .doesNotStartWith("on")
            .doesNotContain("href", "src", "style");
        if (attribute.getKey().equals("xmlns")) {
          assertThat(attribute.getValue()).isEqualTo("http://www.w3.org/2000/svg"); // never fetched
        } else {
          assertThat(attribute.getValue()).doesNotContain("//", "data:", "javascript:");
        }
      }
    }
    for (Element style : page.select("style")) {
      assertThat(style.data()).doesNotContain("url(", "@import");
    }
  }

  @Test
  void has_a_picture_for_readers_without_scripts() {
    assertThat(page.select("noscript > svg text").eachText()).contains("a<b>&, valid");
  }

  /** The policy allows the page's own scripts and styles, by their hashes, and nothing else. */
  @Test
  void allows_its_own_scripts_alone() {
    String policy = page.select("meta[http-equiv]").attr("content");
    List<String> hashes = new ArrayList<>();
    for (Element element : page.select("style, script")) {
      if (!element.attr("type").equals("application/json")) {
        byte[] sha256 =
            Hashing.sha256().hashString(element.data(), StandardCharsets.UTF_8).asBytes();
        hashes.add("'sha256-" + Base64.getEncoder().encodeToString(sha256) + "'");
      }
    }
    assertThat(hashes).hasSize(4).doesNotHaveDuplicates();
    assertThat(policy)
        .isEqualTo(
            String.format(
                Locale.ROOT,
                "default-src 'none'; script-src %3$s %4$s; style-src %1$s %2$s; connect-src 'none';"
                    + " base-uri 'none'; form-action 'none'",
                hashes.toArray()));
    assertThat(page.select("script")).hasSize(3);
  }

  @Test
  void shows_whatever_a_model_writes() {
    assertThat(texts("pre")).contains(HOSTILE + "\u2400\u241b[31m\ufffd\ufffd\ufffd", "a<");
    assertThat(page.select("h1").text()).isEqualTo("Runs a<b>&, old");
    assertThat(texts("td")).contains(HOSTILE, "42");
    assertThat(page.getElementById("data").data()).doesNotContain("<", ">");
    assertThat(runs.get(0).getAsJsonObject().get("name").getAsString()).isEqualTo("a<b>&");
    assertThat(runs.get(0).getAsJsonObject().get("tokens").toString())
        .isEqualTo("[\"a\",\"\\u003c\",\"\\n\",\"c3\",\"a9\"]".replace("\\u003c", "<"));
  }

  @Test
  void has_the_results_over_all_stages() {
    assertThat(texts("tr"))
        .contains(
            "best validation, bits per character1.8750 at step 1,001-",
            "test, bits per character1.8125 (99 bytes, 4 streams); the tokens lose 7 bytes: 2.3750 BPC"
                + " with those spelled out-",
            "test, perplexity of a word21.50-",
            "steps1,0011",
            "bytes trained on64,06464",
            "time, h:mm:ss0:16:410:00:01",
            "steps skipped because loss or gradients were not finite41",
            "memory3 MiB in use-");
    assertThat(texts("summary"))
        .containsExactly("step 1,001, validation 1.8750 bits per character");
  }

  @Test
  void has_a_chart_for_each_figure() {
    assertThat(texts("figcaption"))
        .containsExactly(
            "Bits per character",
            "Learning rate",
            "Gradient norm before clipping (L2 norm)",
            "Loss scale (factor)",
            "Speed (kB/s)",
            "Memory at evaluations (MiB)");
    JsonObject run = runs.get(0).getAsJsonObject();
    for (Element figure : page.select("figure")) {
      String name = figure.attr("data-figure");
      assertThat(run.getAsJsonObject(name.equals("memory") ? "valid" : "train").has(name)).isTrue();
    }
    JsonObject old = runs.get(1).getAsJsonObject();
    assertThat(old.getAsJsonObject("train").keySet())
        .containsExactly("step", "bytes", "seconds", "bits");
    assertThat(old.getAsJsonObject("train").getAsJsonObject("bits").toString())
        .isEqualTo("{\"mean\":[8]}");
  }

  /** 1,001 steps are 334 groups of three; each keeps its mean, its smallest and its largest. */
  @Test
  void a_long_run_keeps_its_smallest_and_largest_figures() {
    JsonObject train = runs.get(0).getAsJsonObject().getAsJsonObject("train");
    JsonArray step = train.getAsJsonArray("step");
    assertThat(step).hasSize(334);
    assertThat(step.get(0).getAsInt()).isEqualTo(3);
    assertThat(step.get(333).getAsInt()).isEqualTo(1001);
    JsonObject bits = train.getAsJsonObject("bits");
    assertThat(bits.getAsJsonArray("high").get(0).getAsDouble()).isEqualTo(8);
    assertThat(bits.getAsJsonArray("low").get(0).getAsDouble()).isEqualTo(4);
    assertThat(bits.getAsJsonArray("mean").get(0).getAsDouble()).isEqualTo(5.6667);
    assertThat(train.getAsJsonObject("gradientNorm").getAsJsonArray("mean").get(0).isJsonNull())
        .isTrue();
  }

  @Test
  void is_small() {
    assertThat(html.length()).isLessThan(130_000);
    int data = page.getElementById("data").data().length();
    assertThat(html.length() - data).isLessThan(80_000);
  }

  @Test
  void has_the_weights_of_the_attention() {
    JsonArray layers = runs.get(0).getAsJsonObject().getAsJsonArray("layers");
    assertThat(layers).hasSize(2);
    assertThat(layers.get(1).toString())
        .isEqualTo(
            "{\"layer\":2,\"thousandths\":"
                + "[[1000],[500,500],[333,333,333],[250,250,250,250],[200,200,200,200,200]]}");
    assertThat(page.select("[data-attention]")).hasSize(1);
    assertThat(runs.get(1).getAsJsonObject().getAsJsonArray("layers")).isEmpty();
  }

  @Test
  void a_page_of_a_run_that_goes_on_may_fetch_itself() throws Exception {
    ReportPage report = new ReportPage();
    report.add(RunMetrics.read(folder.resolve("old.jsonl")), new byte[0], null, null);
    Document live = Jsoup.parse(report.html(2));
    assertThat(live.select("html").attr("data-refresh")).isEqualTo("2");
    assertThat(live.select("meta[http-equiv]").attr("content")).contains("; connect-src 'self'; ");
    assertThat(page.select("html").attr("data-refresh")).isEqualTo("0");
  }

  @Test
  void draws_the_attention_of_a_model_that_diverged() throws Exception {
    ReportPage report = new ReportPage();
    float[][] weights = {{Float.NaN, 0}, {Float.NaN, Float.NaN}};
    report.add(
        RunMetrics.read(folder.resolve("old.jsonl")),
        new byte[] {'a', 'b'},
        TextVocabulary.bytes(),
        List.of(new AttentionWeights(0, weights)));
    assertThat(report.html()).contains("\"thousandths\":[[null],[null,null]]");
  }

  @Test
  void leaves_no_other_file() {
    assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
  }
}
