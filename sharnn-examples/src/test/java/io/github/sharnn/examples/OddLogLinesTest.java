package io.github.sharnn.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.sharnn.examples.OddLines.Line;
import io.github.sharnn.examples.OddLines.Scored;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

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
    assertThat(line.severity()).isEqualTo("ERROR");
    Line other = Line.of("TAG 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 INFO core 7");
    assertThat(other.kind()).isEqualTo("# INFO core #");
    assertThat(other.values()).isEqualTo("R02-M1 INFO core 7");
    assertThat(Line.of("- started").severity()).isEmpty();
  }

  @Test
  void a_new_severity_is_less_new_than_a_new_kind() {
    Line line = Line.of("- INFO core 7 is up");
    Set<String> known = OddLines.known(List.of(line));
    assertThat(Line.of("X INFO core 12 is up").novelty(known)).isZero();
    assertThat(Line.of("X FATAL core 7 is up").novelty(known)).isEqualTo(1);
    assertThat(Line.of("X core 7 is up").novelty(known)).isEqualTo(2);
    assertThat(Line.of("X INFO core 7 is down").novelty(known)).isEqualTo(2);
  }

  @Test
  void a_line_without_a_tag_is_rejected() {
    assertThatThrownBy(() -> Line.of("started"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "each line must be \"TAG TEXT\", but one is 'started': put \"- \" before a normal line");
  }

  private static Scored scored(String tag, double rank) {
    return new Scored(Line.of(tag + " text"), 1, false, rank, 0, 0);
  }

  @Test
  void figures_count_equal_ranks_as_one_step() {
    double[] figures =
        OddLogLines.figures(
            List.of(scored("-", 1), scored("ODD", 2), scored("-", 2), scored("ODD", 3)),
            each -> each.rank(0));
    assertThat(figures[0]).isCloseTo(3.5 / 4, within(1e-9));
    assertThat(figures[1]).isCloseTo((1 + 2 / 3.0) / 2, within(1e-9));
  }

  @Test
  void finds_an_odd_value_in_a_kind_with_few_lines() throws Exception {
    List<Line> normal = new ArrayList<>();
    for (int i = 0; i < 440; i++) {
      normal.add(Line.of(i % 11 == 0 ? "- INFO disk " + i % 7 + " is full" : "- INFO core is up"));
    }
    List<Line> lines =
        Stream.of("INFO core is up", "INFO disk 3 is full", "INFO disk ~9~ is full", "ERROR lost")
            .map(text -> Line.of("X " + text))
            .toList();
    List<Scored> scored = OddLines.score(normal, lines, 150, 1);
    assertThat(scored).extracting(Scored::isNew).containsExactly(false, false, false, true);
    assertThat(scored).extracting(Scored::alert).containsExactly(false, false, true, true);
    assertThat(scored.get(2).p()).isCloseTo(2 / 441.0, within(1e-12));
    assertThat(scored.get(2).rank(0)).isCloseTo(3 * Math.log(441) / Math.log(2), within(1e-9));
    assertThat(scored.get(3).values()).isZero();
    assertThat(scored.get(2).surprise()).isZero();
  }

  @Test
  void makes_a_log_from_its_seed() throws Exception {
    List<String> lines = new MadeLog(7, 20, 1).normal(6, 100);
    assertThat(lines).hasSize(100).isEqualTo(new MadeLog(7, 20, 1).normal(6, 100));
    assertThat(lines).isNotEqualTo(new MadeLog(8, 20, 1).normal(6, 100));
    assertThat(lines).allMatch(line -> line.matches("- 2026-11-06T\\d\\d:\\d\\d:00\\.000Z .+"));
    assertThat(new MadeLog(7, 20, 1).faults(6, 5, 2))
        .extracting(line -> line.split(" ")[0])
        .containsExactly(
            "new",
            "new",
            "new",
            "new",
            "new",
            "garbage",
            "garbage",
            "trace",
            "trace",
            "level",
            "level",
            "value",
            "value",
            "hidden-repeat",
            "hidden-repeat");
  }

  @Test
  void finds_faults_in_the_log_that_it_makes() throws Exception {
    String out =
        Outcome.capture(
                () -> {
                  OddLogLines.findFaults(1, 300, 60);
                  return 0;
                })
            .out();
    assertThat(out)
        .containsPattern("hidden-repeat +0 of 12 alert")
        .containsPattern("ten days later: \\d\\.\\d\\d%");
    Matcher area = Pattern.compile("AUROC .*\\n +(0\\.\\d+)").matcher(out);
    assertThat(area.find()).isTrue();
    assertThat(Double.parseDouble(area.group(1))).isGreaterThan(0.8);
  }

  @Test
  void measures_a_labelled_log() {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      lines.add("- 2026-11-06T00:00:00Z INFO request " + i + " done");
    }
    lines.addAll(Collections.nCopies(10, "CRASH 2026-11-06T00:00:00Z FATAL core dumped"));
    Collections.shuffle(lines, new Random(1));
    String out =
        Outcome.capture(
                () -> {
                  OddLogLines.measure(lines, 101, 1, 20);
                  return 0;
                })
            .out();
    assertThat(out).containsPattern("101 +1\\.000 +1\\.000 +1\\.000 +1\\.000 ");
    assertThat(out).contains("median").containsPattern("CRASH +\\d+ of \\d+ alert");
  }
}
