package io.github.sharnn.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.sharnn.examples.OddLines.Line;
import io.github.sharnn.examples.OddLines.Scored;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OddLogLinesTest {

  @Test
  void views_have_no_time_and_mask_numbers_or_identifiers() {
    Line line =
        Line.of(
            "- 2026-11-06T02:06:08.467Z ERROR order 480123 from 10.0.0.65 took 31 ms,"
                + " session=1f00a2b3");
    assertThat(line.tag()).isEqualTo("-");
    assertThat(line.kind()).isEqualTo("ERROR order # from # took # ms, session=#");
    assertThat(line.values())
        .isEqualTo("ERROR order ###### from 10.0.0.65 took 31 ms, session=########");
    assertThat(line.weight()).isEqualTo(2);
    Line other = Line.of("TAG 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 INFO core 7");
    assertThat(other.kind()).isEqualTo("# INFO core #");
    assertThat(other.values()).isEqualTo("R02-M1 INFO core 7");
    assertThat(other.weight()).isEqualTo(1);
  }

  @Test
  void a_line_without_a_tag_is_rejected() {
    assertThatThrownBy(() -> Line.of("started"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "each line must be \"TAG TEXT\", but one is 'started': put \"- \" before a normal line");
  }

  private static Scored scored(String tag, double rank) {
    return new Scored(new Line(tag, "kind", "values"), 1, rank);
  }

  @Test
  void figures_count_equal_ranks_as_one_step() {
    double[] figures =
        OddLogLines.figures(
            List.of(scored("-", 1), scored("ODD", 2), scored("-", 2), scored("ODD", 3)));
    assertThat(figures[0]).isCloseTo(3.5 / 4, within(1e-9));
    assertThat(figures[1]).isCloseTo((1 + 2 / 3.0) / 2, within(1e-9));
  }

  @Test
  void finds_faults_in_the_log_that_it_makes() throws Exception {
    String out =
        Outcome.capture(
                () -> {
                  OddLogLines.findFaults(60, 300);
                  return 0;
                })
            .out();
    assertThat(out)
        .contains("ERROR kernel: oom killer", "hidden-order  0 of 12 alert", "ten days later");
    Matcher area = Pattern.compile("AUROC .*\\n +(0\\.\\d+)").matcher(out);
    assertThat(area.find()).isTrue();
    assertThat(Double.parseDouble(area.group(1))).isGreaterThan(0.8);
  }

  @Test
  void measures_a_labelled_log(@TempDir Path folder) throws Exception {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      lines.add("- 2026-11-06T00:00:00Z INFO request " + i + " done");
    }
    lines.addAll(Collections.nCopies(10, "CRASH 2026-11-06T00:00:00Z FATAL core dumped"));
    Collections.shuffle(lines, new Random(1));
    Path file = Files.write(folder.resolve("tagged.log"), lines);
    String out =
        Outcome.capture(
                () -> {
                  OddLogLines.measure(file, 20, 1);
                  return 0;
                })
            .out();
    assertThat(out).containsPattern("0 +1\\.000 +1\\.000 +1\\.000 +1\\.000 ");
    assertThat(out).contains("median").containsPattern("CRASH +\\d+ of \\d+ alert");
  }
}
