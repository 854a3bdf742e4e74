package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.AttentionWeights;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Attr;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** A page on runs that hold whatever bytes a model may write. */
class ReportPageTest {

  private static final String HOSTILE =
      "</pre><script>x</script>${title} $1 &amp; http://a.b/c.png";
  private static final String CONTROLS = "\\u0000\\u001b[31m\\u202e\\ud800\\uffff";

  @TempDir private static Path folder;
  private static String html;
  private static Document page;

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
    page =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new ByteArrayInputStream(html.getBytes(StandardCharsets.UTF_8)));
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

  private static List<Element> all(String name) {
    NodeList nodes = page.getElementsByTagName(name);
    List<Element> elements = new ArrayList<>();
    for (int i = 0; i < nodes.getLength(); i++) {
      elements.add((Element) nodes.item(i));
    }
    return elements;
  }

  @Test
  void has_no_script_and_asks_for_no_other_file() {
    assertThat(all("*"))
        .extracting(Element::getTagName)
        .isNotEmpty()
        .doesNotContain("script", "link", "iframe", "object", "embed", "img", "image", "base", "a");
    for (Element element : all("*")) {
      for (int i = 0; i < element.getAttributes().getLength(); i++) {
        Attr attribute = (Attr) element.getAttributes().item(i);
        assertThat(attribute.getName()).doesNotStartWith("on").doesNotContain("href", "src");
        if (!attribute.getName().startsWith("xmlns")) {
          assertThat(attribute.getValue()).doesNotContain("//", "data:", "javascript:");
        }
      }
    }
    assertThat(all("style")).hasSize(1);
    assertThat(all("style").get(0).getTextContent()).doesNotContain("url(", "@import");
    assertThat(html).contains("default-src 'none'");
  }

  @Test
  void shows_whatever_a_model_writes() {
    List<String> shown = all("pre").stream().map(Element::getTextContent).toList();
    assertThat(shown).contains(HOSTILE + "\u2400\u241b[31m\ufffd\ufffd\ufffd", "a<", "a<\n\u00e9");
    assertThat(all("h1").get(0).getTextContent()).isEqualTo("Runs a<b>&, old");
    assertThat(all("td")).extracting(Element::getTextContent).contains(HOSTILE, "42");
  }

  @Test
  void has_the_results_over_all_stages() {
    assertThat(all("tr"))
        .extracting(Element::getTextContent)
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
    assertThat(all("summary"))
        .extracting(Element::getTextContent)
        .containsExactly("step 1,001, validation 1.8750 bits per character");
  }

  @Test
  void has_charts_with_units_and_legends() {
    assertThat(all("svg"))
        .extracting(svg -> svg.getAttribute("aria-label"))
        .containsExactly(
            "Bits per character, bits per character by time (minutes):"
                + " a<b>&, train; a<b>&, valid; old, train",
            "Bits per character, bits per character by data trained on (MB):"
                + " a<b>&, train; a<b>&, valid; old, train",
            "Learning rate, thousandths by step: a<b>&",
            "Gradient norm before clipping, L2 norm, no unit by step: a<b>&",
            "Loss scale, factor by step: a<b>&",
            "Speed, kB/s by step: a<b>&",
            "Memory at evaluations, MiB by step: a<b>&",
            "Attention of layer 0: weight / largest of its row, token read by token attended to: weight",
            "Attention of layer 2: weight / largest of its row, token read by token attended to: weight");
    assertThat(all("svg")).allMatch(svg -> svg.getAttribute("viewBox").matches("0 0 \\d+ \\d+"));
  }

  @Test
  void has_charts_that_do_not_share_their_parts() {
    List<String> names =
        all("*").stream().map(e -> e.getAttribute("id")).filter(id -> !id.isEmpty()).toList();
    assertThat(names).isNotEmpty().doesNotHaveDuplicates();
    List<String> used =
        Pattern.compile("url\\(#(.*?)\\)").matcher(html).results().map(MatchResult::group).toList();
    assertThat(used).isNotEmpty();
    for (String reference : used) {
      assertThat(names).contains(reference.substring(5, reference.length() - 1));
    }
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
    assertThat(report.html()).contains("Attention of layer 0");
  }

  @Test
  void leaves_no_other_file() {
    assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
  }
}
