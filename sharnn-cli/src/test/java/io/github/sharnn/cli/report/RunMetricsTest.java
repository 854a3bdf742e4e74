package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.github.sharnn.cli.report.RunMetrics.Step;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RunMetricsTest {

  @TempDir private Path folder;

  private RunMetrics read(String... lines) throws IOException {
    Files.writeString(folder.resolve("metrics.jsonl"), String.join("\n", lines));
    return RunMetrics.read(folder);
  }

  private static String step(int stage, int step, double bpc) {
    return String.format(
        Locale.ROOT,
        "{\"stage\":%d,\"step\":%d,\"bytes\":%d,\"seconds\":%d,\"trainBpc\":%s}",
        stage,
        step,
        step * 10,
        step,
        bpc);
  }

  private static String sample(String text) {
    return String.format(Locale.ROOT, "{\"sample\":{\"text\":\"%s\"}}", text);
  }

  @Test
  void stages_go_on_where_the_one_before_ended() throws IOException {
    RunMetrics run =
        read(step(1, 1, 5), step(1, 2, 4), step(2, 1, 3), step(2, 2, 2), step(3, 1, 1));
    assertThat(run.name()).isEqualTo(folder.getFileName().toString());
    assertThat(run.steps())
        .extracting(Step::step, Step::bytes, Step::seconds, Step::trainBpc)
        .containsExactly(
            tuple(1L, 10L, 1.0, 5.0),
            tuple(2L, 20L, 2.0, 4.0),
            tuple(3L, 30L, 3.0, 3.0),
            tuple(4L, 40L, 4.0, 2.0),
            tuple(5L, 50L, 5.0, 1.0));
  }

  @Test
  void a_resumed_run_replaces_what_it_repeats() throws IOException {
    RunMetrics run =
        read(
            step(1, 1, 5),
            sample("one"),
            step(1, 2, 9),
            sample("lost"),
            step(1, 3, 9),
            step(1, 2, 4),
            step(1, 3, 3),
            sample("three"));
    assertThat(run.steps())
        .extracting(Step::step, Step::trainBpc, Step::sample)
        .containsExactly(tuple(1L, 5.0, "one"), tuple(2L, 4.0, null), tuple(3L, 3.0, "three"));
  }

  @Test
  void a_line_that_was_cut_as_the_run_was_killed_is_left_out() throws IOException {
    String first = step(1, 1, 5);
    String whole = "{\"run\":{\"model\":{},\"text\":\"a {brace}\"}}";
    assertThat(read(first, whole).settings()).isNotNull();
    for (int length = 1; length < whole.length(); length++) {
      RunMetrics run = read(first, whole.substring(0, length));
      assertThat(run.steps()).hasSize(1);
      assertThat(run.settings()).as(whole.substring(0, length)).isNull();
    }
    assertThatThrownBy(() -> read(first.substring(0, 9)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("has no step yet");
  }

  @Test
  void a_character_may_be_cut_too() throws IOException {
    byte[] lines = (step(1, 1, 5) + "\n" + sample("caf\u00e9")).getBytes(StandardCharsets.UTF_8);
    int end = lines.length;
    while (lines[end - 1] != (byte) 0xc3) { // the first of the character's two bytes
      end--;
    }
    Path file = Files.write(folder.resolve("cut.jsonl"), Arrays.copyOf(lines, end));
    assertThat(RunMetrics.read(file).last().sample()).isNull();
  }

  @Test
  void settings_and_test_figure_stay_whatever_follows() throws IOException {
    RunMetrics run =
        read(
            "{\"run\":{\"text\":\"\u00e9t\u00e9\"}}",
            step(1, 1, 5),
            "{\"test\":{\"bitsPerCharacter\":2.5,\"predictedBytes\":99,\"streams\":4}}",
            sample("one"));
    assertThat(run.text()).containsExactly(0xe9, 't', 0xe9);
    assertThat(run.test()).isEqualTo(new RunMetrics.Test(2.5, 99, 4, null, null, null));
    assertThat(run.last().sample()).isEqualTo("one");
  }

  @Test
  void has_no_text_where_the_file_has_none() throws IOException {
    assertThat(read(step(1, 1, 5)).text()).isEmpty();
    assertThat(read("{\"run\":{}}", step(1, 1, 5)).text()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"x\":1}", "[1]", "1", "null", "{\"stage\":", "{\"trainBpc\":1}", "x"})
  void refuses_other_files(String line) {
    assertThatThrownBy(() -> read(line, step(1, 1, 5)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must hold lines as train --metrics writes them, but has: " + line);
  }

  @Test
  void needs_a_step() {
    assertThatThrownBy(() -> read(sample("a")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("has no step yet");
  }
}
