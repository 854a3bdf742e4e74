package io.github.sharnn.train.progress;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.train.StepReport;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ProgressLineTest {

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

  /** Step of 100, each of 2 s and 1 kB. */
  private static StepReport report(long step, double validationBpc) {
    return new StepReport(
        step, step * 1000, step / 100.0, step * 2, 5, validationBpc, 500, 1, 1e-3f, 1);
  }

  @Test
  void rewrites_one_line_of_the_terminals_width() {
    try (ProgressLine line = new ProgressLine(out, 60)) {
      for (int step = 1; step <= 40; step++) {
        line.accept(report(step, step < 40 ? Double.NaN : 4.5));
      }
    }
    String shown = bytes.toString(StandardCharsets.UTF_8);
    assertThat(shown)
        .startsWith("\rstep 1  train 5.000 BPC  valid -  500 bytes/s  0:03:18 left")
        .endsWith("\n")
        .containsOnlyOnce("\n");
    assertThat(shown.substring(shown.lastIndexOf('\r') + 1))
        .isEqualTo("step 40  train 5.000 BPC  valid 4.500 BPC  500 bytes/s  0:0\n")
        .hasSize(60);
  }

  @Test
  void a_shorter_text_leaves_nothing_of_a_longer_one() {
    try (LiveLine line = new LiveLine(out, 80)) {
      line.show("longer");
      line.show("short");
    }
    assertThat(bytes.toString(StandardCharsets.UTF_8)).isEqualTo("\rlonger\rshort \n");
  }

  @Test
  void begins_a_new_line_for_each_stage_and_after_each_evaluation() {
    try (ProgressLine line = new ProgressLine(out, 100)) {
      line.accept(report(1, Double.NaN));
      line.accept(report(50, 4));
      line.accept(report(100, 4));
      line.accept(report(1, Double.NaN));
    }
    assertThat(List.of(bytes.toString(StandardCharsets.UTF_8).split("\n")))
        .hasSize(3)
        .last()
        .asString()
        .contains("step 1  ", "0:03:18 left")
        .doesNotContain("4.000");
  }

  @Test
  void is_plain_lines_without_a_terminal() {
    try (ProgressLine line = new ProgressLine(out, 0)) {
      for (int step = 1; step <= 7; step++) {
        line.accept(report(step, step == 3 ? 4.5 : Double.NaN));
      }
    }
    assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
        .containsExactly(
            "step 1  train 5.000 BPC  valid -  500 bytes/s  0:03:18 left",
            "step 2  train 5.000 BPC  valid -  500 bytes/s  0:03:16 left",
            "step 3  train 5.000 BPC  valid 4.500 BPC  500 bytes/s  0:03:14 left",
            "step 6  train 5.000 BPC  valid 4.500 BPC  500 bytes/s  0:03:08 left");
  }

  @Test
  void forgets_a_loss_that_is_not_finite() {
    try (ProgressLine line = new ProgressLine(out, 0)) {
      for (double bpc : new double[] {5, Double.POSITIVE_INFINITY, 4, Double.NaN, 3}) {
        line.accept(new StepReport(2, 1000, 0.5, 2, bpc, 4.5, 500, 1, 1e-3f, 1));
      }
    }
    assertThat(bytes.toString(StandardCharsets.UTF_8).lines().map(text -> text.substring(8, 22)))
        .containsExactly(
            "train 5.000 BP",
            "train Infinity",
            "train 4.000 BP",
            "train NaN BPC ",
            "train 3.000 BP");
  }

  /** Steps of a tenth of a second: the first line comes at once, the next within two seconds. */
  @Test
  void plain_lines_come_often_at_first_and_then_every_ten_seconds() {
    ProgressLine line = new ProgressLine(out, 0);
    for (int step = 1; step <= 450; step++) {
      line.accept(
          new StepReport(
              step, step * 100L, step / 1e4, step / 10.0, 5, Double.NaN, 1000, 1, 1e-3f, 1));
    }
    List<String> begins =
        bytes
            .toString(StandardCharsets.UTF_8)
            .lines()
            .map(text -> text.substring(0, text.indexOf("  ")))
            .toList();
    assertThat(begins)
        .isEqualTo(
            IntStream.of(1, 11, 22, 44, 88, 176, 276, 376).mapToObj(s -> "step " + s).toList());
  }

  /** The time goes back with the steps. */
  @Test
  void goes_on_after_a_rollback_and_in_a_second_run() {
    try (ProgressLine line = new ProgressLine(out, 0)) {
      line.accept(report(90, Double.NaN));
      line.accept(new StepReport(91, 91_000, 0.91, 182, 500, Double.NaN, 500, 1, 1e-3f, 1));
      line.accept(report(20, Double.NaN));
      line.accept(report(21, Double.NaN));
    }
    assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
        .containsExactly(
            "step 90  train 5.000 BPC  valid -  500 bytes/s  0:00:20 left",
            "step 20  train 5.000 BPC  valid -  500 bytes/s  0:02:40 left");
  }
}
