package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.sharnn.AttentionWeights;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The page in headless Chromium, on a desktop and on a telephone. Skipped on a machine without
 * Chromium. The screenshots are in {@code target}.
 */
@DisabledOnOs(OS.WINDOWS) // whose browsers are not on the path
class ReportBrowserTest {

  private static final String FIRST = "document.querySelector('figure .u-over')";

  @TempDir private static Path folder;
  private static Chromium browser;
  private static URI one;
  private static URI two;

  @BeforeAll
  static void draw() throws Exception {
    assumeTrue(Chromium.find().isPresent(), "no Chromium on the path");
    Path first = run("a<img src=x onerror=alert(1)>", 1000);
    Path second = run("second", 150);
    one = page("one.html", first);
    two = page("two.html", first, second);
    browser = new Chromium(Chromium.find().get(), Files.createDirectory(folder.resolve("profile")));
  }

  @AfterAll
  static void close() {
    if (browser != null) {
      browser.close();
    }
  }

  private static Path run(String name, int steps) throws Exception {
    StringBuilder lines = new StringBuilder("{\"run\":{\"training\":{\"seed\":42}}}\n");
    for (int step = 1; step <= steps; step++) {
      lines.append(
          String.format(
              Locale.ROOT,
              "{\"stage\":1,\"step\":%d,\"bytes\":%d,\"seconds\":%d,\"trainBpc\":%f,\"gradientNorm\":0.5,"
                  + "\"learningRate\":2e-3,\"bytesPerSecond\":1e6,\"lossScale\":65536%s}\n",
              step,
              step * 1000,
              step,
              2 + 6.0 / step,
              step % 50 == 0 ? ",\"validationBpc\":" + (2.25 + 6.0 / step) : ""));
    }
    Path run = Files.createDirectories(folder.resolve(String.valueOf(steps))).resolve(name);
    return Files.writeString(run.resolveSibling(name + ".jsonl"), lines);
  }

  private static URI page(String name, Path... files) throws Exception {
    ReportPage page = new ReportPage();
    byte[] text = "The old man\nsaid: <b>".getBytes(StandardCharsets.UTF_8);
    float[][] weights = new float[text.length][text.length];
    for (int t = 0; t < text.length; t++) {
      for (int j = 0; j <= t; j++) {
        weights[t][j] = 2f * (j + 1) / ((t + 1) * (t + 2)); // more for later tokens
      }
    }
    for (Path file : files) {
      page.add(
          RunMetrics.read(file),
          text,
          TextVocabulary.bytes(),
          List.of(new AttentionWeights(0, weights)));
    }
    page.write(folder.resolve(name));
    return folder.resolve(name).toUri();
  }

  /** CVE-2024-21489: uPlot before 1.6.31 copies options into the prototype of all objects. */
  @Test
  void options_do_not_reach_the_prototype_of_all_objects() throws Exception {
    browser.open(one, 1280, 900);
    String options = "JSON.parse('{\"__proto__\": {\"polluted\": 1}}')";
    String attempt = "(() => { try { uPlot.assign({}, " + options + ") } catch (e) {} })()";
    assertThat(browser.text(attempt + ", String({}.polluted)")).isEqualTo("undefined");
  }

  /** Moves the mouse over the first chart; 0 is its left edge and 1 its right edge. */
  private static void point(String event, double share) throws Exception {
    String box = FIRST + ".getBoundingClientRect()";
    browser.mouse(
        event,
        browser.number(box + ".left + " + share + " * " + box + ".width"),
        browser.number(box + ".top + " + box + ".height / 2"),
        1);
  }

  /** Returns a number in the legend of the first chart; number 0 is that of the x axis. */
  private static double legend(int index) throws Exception {
    String all = "[...document.querySelectorAll('figure:first-of-type tr:not(.bound) .u-value')]";
    return Double.parseDouble(browser.text(all + "[" + index + "].textContent").replace(",", ""));
  }

  /** Returns the colour of a curve in the legend of the first chart, from 1. */
  private static String marker(int index) throws Exception {
    String all = "[...document.querySelectorAll('figure:first-of-type tr:not(.bound) .u-marker')]";
    String color = browser.text("getComputedStyle(" + all + "[" + index + "]).borderTopColor");
    assertThat(color).startsWith("rgb(");
    return color;
  }

  @ParameterizedTest
  @ValueSource(ints = {1280, 400})
  void shows_values_zooms_and_fits(int width) throws Exception {
    browser.open(one, width, 900);
    assertThat(browser.number("document.querySelectorAll('figure:not([hidden]) canvas').length"))
        .isEqualTo(5); // no memory
    assertThat(browser.number("document.documentElement.scrollWidth")).isLessThanOrEqualTo(width);
    assertThat(
            browser.number(
                "Math.max(...[...document.querySelectorAll('canvas')]"
                    + ".map(each => each.getBoundingClientRect().right))"))
        .isLessThanOrEqualTo(width);

    assertThat(browser.text("document.querySelector('.uplot').getAttribute('aria-label')"))
        .matches("Bits per character from 1\\.\\d+ to 2\\.\\d+ by minutes: train; valid");
    browser.evaluate(FIRST + ".scrollIntoView({block: 'center'})");
    point("mouseMoved", 0.5);
    double middle = legend(0);
    assertThat(middle).isBetween(7.0, 9.7); // of 16.7 minutes
    assertThat(legend(1)).isCloseTo(2 + 6.0 / (60 * middle), within(1e-3));
    point("mouseMoved", 0.05);
    double left = legend(0);

    point("mouseMoved", 0.4);
    point("mousePressed", 0.4);
    point("mouseMoved", 0.6);
    point("mouseReleased", 0.6);
    point("mouseMoved", 0.05);
    assertThat(legend(0)).isGreaterThan(left + 3);
    String box = FIRST + ".getBoundingClientRect()";
    browser.click(browser.number(box + ".left + 20"), browser.number(box + ".top + 20"), 2);
    point("mouseMoved", 0.06);
    point("mouseMoved", 0.05);
    assertThat(legend(0)).isEqualTo(left);

    browser.evaluate(
        "document.getElementById('x').value = 'step';"
            + "document.getElementById('x').dispatchEvent(new Event('change'))");
    point("mouseMoved", 0.06);
    point("mouseMoved", 0.5);
    assertThat(legend(0)).isBetween(450.0, 550.0);
    browser.screenshot(Path.of("target/report-" + width + ".png"));
    assertThat(browser.errors()).isEmpty();
  }

  @Test
  void has_other_colours_for_training_and_validation_and_in_the_dark() throws Exception {
    browser.prefer("light");
    browser.open(one, 1280, 900);
    String training = marker(1);
    assertThat(training).isNotEqualTo(marker(2));
    String background = "getComputedStyle(document.body).backgroundColor";
    assertThat(browser.text(background)).isEqualTo("rgb(255, 255, 255)");
    browser.prefer("dark");
    assertThat(browser.text(background)).isEqualTo("rgb(22, 24, 28)");
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10); // the page draws itself anew
    while (marker(1).equals(training) && System.nanoTime() < end) {
      Thread.sleep(20);
    }
    assertThat(marker(1)).isNotEqualTo(training).isNotEqualTo(marker(2));
    browser.screenshot(Path.of("target/report-dark.png"));
    browser.prefer("light");
    assertThat(browser.errors()).isEmpty();
  }

  @Test
  void shades_the_text_by_its_attention() throws Exception {
    browser.open(one, 1280, 900);
    String span = "document.querySelectorAll('.tokens span')";
    assertThat(browser.text("document.querySelector('.tokens').textContent"))
        .isEqualTo("The old man⏎\nsaid: <b>");
    browser.evaluate("document.querySelector('.tokens').scrollIntoView({block: 'center'})");
    hover(span + "[4]");
    assertThat(browser.text(span + "[4].style.background")).contains("0.75)");
    assertThat(browser.text(span + "[0].style.background")).contains(", 0.15");
    assertThat(browser.text(span + "[5].style.background")).isEmpty();
    assertThat(browser.text("document.querySelector('.tokens + .note').textContent"))
        .startsWith("Token 5, “o”, attends to: “o” (5) 0.333, “ ” (4) 0.267, ");
    browser.click(center(span + "[4]", "left", "width"), center(span + "[4]", "top", "height"), 1);
    hover(span + "[1]");
    assertThat(browser.text("document.querySelector('.tokens + .note').textContent"))
        .isEqualTo("Token 5, “o”, attends to token 2, “h”: 0.133");
    browser.screenshot(Path.of("target/report-attention.png"));
    assertThat(browser.errors()).isEmpty();
  }

  private static double center(String element, String side, String size) throws Exception {
    String box = element + ".getBoundingClientRect()";
    return browser.number(box + "." + side + " + " + box + "." + size + " / 2");
  }

  private static void hover(String element) throws Exception {
    browser.mouse(
        "mouseMoved", center(element, "left", "width"), center(element, "top", "height"), 1);
  }

  @Test
  void follows_a_run_that_goes_on() throws Exception {
    Path metrics = run("live", 150);
    Path growing = folder.resolve("growing.jsonl");
    Files.write(growing, Files.readAllLines(metrics).subList(0, 61));
    ReportServer.Source source =
        seconds -> {
          ReportPage page = new ReportPage();
          page.add(RunMetrics.read(growing), new byte[0], null, null);
          return page.html(seconds);
        };
    String steps = "document.querySelector('main').textContent.match(/steps(\\d+)/)[1]";
    String state = "document.getElementById('state').textContent";
    try (ReportServer server = new ReportServer(0, source)) {
      browser.open(server.uri(), 1280, 900);
      assertThat(browser.text(steps)).isEqualTo("60");
      Files.copy(metrics, growing, StandardCopyOption.REPLACE_EXISTING);
      browser.await(steps + " === '150'");
      assertThat(browser.text(state)).isEqualTo("live");
      assertThat(browser.number("document.querySelectorAll('.uplot').length")).isEqualTo(5);
    }
    browser.await(state + " === 'The run has ended.'");
    assertThat(browser.errors()).isEmpty();
  }

  @Test
  void draws_runs_side_by_side_and_hides_each() throws Exception {
    browser.open(two, 1280, 900);
    String labels =
        "[...document.querySelectorAll('figure:first-of-type tr:not(.bound) .u-label')]"
            + ".map(each => each.textContent).join('|')";
    String hostile = "a<img src=x onerror=alert(1)>";
    assertThat(browser.text(labels))
        .isEqualTo(
            "minutes|%1$s, train|%1$s, valid|second, train|second, valid".replace("%1$s", hostile));
    assertThat(marker(1)).isNotEqualTo(marker(3));
    browser.evaluate("document.querySelector('#runs button').click()");
    assertThat(browser.text(labels))
        .isEqualTo("seconds|second, train|second, valid".replace("seconds", "minutes"));
    assertThat(browser.text("document.querySelector('#runs button').getAttribute('aria-pressed')"))
        .isEqualTo("false");
    browser.screenshot(Path.of("target/report-two.png"));
    assertThat(browser.errors()).isEmpty();
  }
}
