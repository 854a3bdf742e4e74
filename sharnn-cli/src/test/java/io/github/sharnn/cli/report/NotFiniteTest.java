package io.github.sharnn.cli.report;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.github.sharnn.cli.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;
import javax.xml.parsers.DocumentBuilderFactory;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Metrics with figures that are not finite, or lines that are damaged. */
class NotFiniteTest {

  private static final String RUN = "{\"run\":{\"training\":{\"seed\":42},\"text\":\"a\"}}";

  @TempDir private Path folder;

  private static String step(int step, String figures) {
    return String.format(
        Locale.ROOT,
        "{\"stage\":1,\"step\":%d,\"bytes\":%d,\"seconds\":%d%s}",
        step,
        step,
        step,
        figures);
  }

  private static String good(int step, double bpc) {
    return step(step, ",\"trainBpc\":" + bpc + ",\"gradientNorm\":1,\"learningRate\":0.1");
  }

  private Path write(String... lines) throws IOException {
    Files.writeString(folder.resolve("metrics.jsonl"), String.join("\n", lines) + "\n");
    return folder.resolve("metrics.jsonl");
  }

  /** Draws a run by both commands; returns the output of plot, and the page without tags. */
  private List<String> draw(Path metrics) throws Exception {
    Path svg = folder.resolve("curves.svg");
    Path page = folder.resolve("page.html");
    Outcome plot = run("plot", metrics, "--output", svg);
    assertThat(plot.err()).isEmpty();
    Outcome report = run("report", folder, "--output", page);
    assertThat(report.err()).isEmpty();
    assertThat(svg).content().contains("<svg").doesNotContain("NaN").doesNotContain("Infinity");
    DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(svg.toFile());
    Document drawn = Jsoup.parse(page);
    // strict JSON has no NaN
    assertThat(drawn.getElementById("data").data()).startsWith("[{").doesNotContain("NaN");
    return List.of(plot.out(), drawn.body().wholeText());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      nullValues = "none",
      value = {
        "''", // a loss that the file leaves out
        ",\"trainBpc\":NaN,\"gradientNorm\":1",
        ",\"trainBpc\":Infinity",
        ",\"trainBpc\":\"-Infinity\",\"gradientNorm\":1",
        ",\"trainBpc\":1e999,\"gradientNorm\":2",
        ",\"trainBpc\":1.7e308,\"gradientNorm\":2",
        ",\"trainBpc\":null",
        ",\"trainBpc\":2,\"gradientNorm\":NaN"
      })
  void a_step_without_a_finite_loss_is_a_gap(String figures) throws Exception {
    List<String> drawn =
        draw(write(RUN, good(1, 5), good(2, 4), step(3, figures), good(4, 3), good(5, 2)));
    assertThat(drawn.get(0)).contains("1 of 5 steps were skipped");
    assertThat(drawn.get(1))
        .contains("steps skipped because loss or gradients were not finite1", "steps5", "seed42");
  }

  @Test
  void a_run_of_nothing_else_is_drawn_too() throws Exception {
    String[] lines = new String[101];
    lines[0] = RUN;
    Arrays.setAll(lines, i -> i == 0 ? RUN : step(i, ""));
    List<String> drawn = draw(write(lines));
    assertThat(drawn.get(0)).contains("100 of 100 steps were skipped");
    assertThat(drawn.get(1)).contains("were not finite100", "seed42");
  }

  @Test
  void one_finite_step_among_many_is_a_point() throws Exception {
    String[] lines = new String[60];
    Arrays.setAll(lines, i -> i == 30 ? good(31, 5) : step(i + 1, ""));
    draw(write(lines));
    assertThat(folder.resolve("curves.svg")).content().contains("<circle");
  }

  @Test
  void an_evaluation_without_a_finite_figure_is_a_gap() throws Exception {
    String memory = ",\"trainBpc\":2,\"gradientNorm\":1,\"memory\":{\"bytes\":1,\"source\":\"x\"}";
    Path metrics =
        write(
            step(1, memory + ",\"validationBpc\":3"),
            step(2, memory + ",\"validationBpc\":Infinity"),
            "{\"sample\":{\"text\":\"abc\"}}",
            step(3, memory + ",\"validationBpc\":2.5"),
            "{\"test\":{\"predictedBytes\":9,\"streams\":1,\"lostBytes\":3}}");
    List<RunMetrics.Step> steps = RunMetrics.read(metrics).steps();
    assertThat(steps)
        .extracting(RunMetrics.Step::validationPoint)
        .containsExactly(3.0, Double.NaN, 2.5);
    assertThat(draw(metrics).get(1))
        .contains("best validation, bits per character2.5000 at step 3")
        .contains("test, bits per characternot finite (9 bytes, 1 streams)")
        .contains("step 2, validation not finite");
  }

  @Test
  void damaged_lines_are_passed_over_and_counted() throws Exception {
    Path metrics =
        write(RUN, good(1, 5), "\u0000\u0000\u0000", "", "{\"stage\":1,\"st", good(2, 4));
    assertThat(RunMetrics.read(metrics).steps()).hasSize(2);
    List<String> drawn = draw(metrics);
    assertThat(drawn.get(0)).contains("3 damaged lines were passed over");
    assertThat(drawn.get(1)).contains("damaged lines of metrics3");
    assertThat(RunMetrics.read(write("{\"ru", good(1, 5), good(2, 4))).damagedLines()).isOne();
  }

  @Test
  void groups_leave_gaps_out_of_their_means() {
    List<RunMetrics.Step> steps = new ArrayList<>();
    for (int i = 0; i < 800; i++) {
      Double bpc = i == 2 || i == 4 || i == 5 ? null : Double.valueOf(i);
      steps.add(new RunMetrics.Step(1, 1, 1, i, bpc, null, null, null, null, null, null, null));
    }
    StepGroups groups = StepGroups.of(steps);
    assertThat(groups.figure(RunMetrics.Step::trainBpc).subList(0, 4))
        .extracting(DoubleSummaryStatistics::getCount, DoubleSummaryStatistics::getAverage)
        .containsExactly(tuple(2L, 0.5), tuple(1L, 3.0), tuple(0L, 0.0), tuple(2L, 6.5));
    assertThat(groups.last().subList(0, 3))
        .extracting(RunMetrics.Step::seconds)
        .containsExactly(1.0, 3.0, 5.0);
  }

  @ParameterizedTest
  @CsvSource({
    "aaaaaaaaaaaaaaaaaaaaaaaaaa\ud83d\ude00bbbbbbb, aaaaaaaaaaaaaaaaaaaaaaaaaa...",
    "aaaaaaaaaaaaaaaaaaaaaaaaa\ud83d\ude00bbbbbbb, aaaaaaaaaaaaaaaaaaaaaaaaa\ud83d\ude00...",
    "aaaaaaaaaaaaaaaaaaaaaaaaae\u0301\u0301bbbbbbb, aaaaaaaaaaaaaaaaaaaaaaaaa...",
    "aaaaaaaaaaaaaaaaaaaaaa\ud83d\udc69\u200d\ud83d\udcbbbbbbbbb, aaaaaaaaaaaaaaaaaaaaaa\ud83d\udc69\u200d\ud83d\udcbb...",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  })
  void a_name_is_shortened_between_characters(String name, String shortened) {
    assertThat(ReportPage.shorten(name, 30)).isEqualTo(shortened);
  }
}
