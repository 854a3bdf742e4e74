package io.github.sharnn.cli.progress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ByteProgressTest {

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
  private long seconds;

  /** A byte takes 3 s. */
  private String shown(int width) {
    ByteProgress progress = new ByteProgress(out, width, () -> seconds * 1_000_000_000L);
    progress.reset("compress", 1200);
    for (int i = 0; i < 9; i++) {
      seconds += 3;
      progress.increment(1);
    }
    progress.end();
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void is_plain_lines_ten_seconds_apart_without_a_terminal() {
    assertThat(shown(0).lines())
        .containsExactly(
            "compress 4 of 1,200 bytes  0 bytes/s  0:59:48 left",
            "compress 8 of 1,200 bytes  0 bytes/s  0:59:36 left");
  }

  @Test
  void rewrites_one_line_of_the_terminals_width() {
    String shown = shown(100);
    assertThat(shown).startsWith("\r").endsWith("\n").containsOnlyOnce("\n");
    String last = shown.substring(shown.lastIndexOf('\r') + 1).stripTrailing();
    assertThat(last).startsWith("compress").contains("9 of 1,200 bytes").hasSizeLessThan(100);
  }
}
