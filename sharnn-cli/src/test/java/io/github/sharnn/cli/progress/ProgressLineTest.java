package io.github.sharnn.cli.progress;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.train.StepReport;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
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
    try (ProgressLine line = new ProgressLine(out, 100)) {
      for (int step = 1; step <= 40; step++) {
        line.accept(report(step, step < 40 ? Double.NaN : 4.5));
      }
    }
    String shown = bytes.toString(StandardCharsets.UTF_8);
    assertThat(shown).startsWith("\r").endsWith("\n").containsOnlyOnce("\n");
    String last = shown.substring(shown.lastIndexOf('\r') + 1).stripTrailing();
    assertThat(last)
        .startsWith("step  40% [")
        .contains("40/100 (0:00:0", " / 0:02:00) left, train 5.000, valid 4.500 BPC, 0.5 kB/s")
        .hasSizeLessThan(100);
  }

  @Test
  void begins_a_new_line_for_each_stage() {
    try (ProgressLine line = new ProgressLine(out, 100)) {
      line.accept(report(1, Double.NaN));
      line.accept(report(100, 4));
      line.accept(report(1, Double.NaN));
    }
    assertThat(List.of(bytes.toString(StandardCharsets.UTF_8).split("\n")))
        .hasSize(2)
        .last()
        .asString()
        .contains("1/100", "/ 0:03:18) left")
        .doesNotContain("valid");
  }

  @Test
  void is_plain_lines_ten_seconds_apart_without_a_terminal() {
    try (ProgressLine line = new ProgressLine(out, 0)) {
      for (int step = 1; step <= 7; step++) {
        line.accept(report(step, step == 3 ? 4.5 : Double.NaN));
      }
    }
    assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
        .containsExactly(
            "step 1  train 5.000 BPC  valid -  500 bytes/s  0:03:18 left ",
            "step 3  train 5.000 BPC  valid 4.500 BPC  500 bytes/s  0:03:14 left ");
  }
}
