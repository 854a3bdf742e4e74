package io.github.sharnn.cli.lines;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

class LineReaderTest {

  /** A stream that gives at most so many bytes at a read, and then pauses. */
  private static InputStream pausing(byte[] text, int most) {
    return new FilterInputStream(new ByteArrayInputStream(text)) {
      @Override
      public int read(byte[] target, int offset, int length) throws IOException {
        return super.read(target, offset, Math.min(length, most));
      }

      @Override
      public int available() {
        return 0;
      }
    };
  }

  /** The lines that a reader hands out; a long line counts as a batch. */
  private static List<List<String>> read(InputStream in, int lines, int bytes) throws IOException {
    List<List<String>> batches = new ArrayList<>();
    new LineReader(in, lines, bytes)
        .read(
            new LineReader.Receiver() {
              @Override
              public void lines(List<byte[]> batch) {
                assertThat(batch).hasSizeBetween(1, lines);
                assertThat(batch.stream().mapToInt(line -> line.length).sum())
                    .isLessThanOrEqualTo(bytes);
                batches.add(batch.stream().map(LineReaderTest::text).toList());
              }

              @Override
              public void longLine(InputStream line) throws IOException {
                String whole = text(line.readAllBytes());
                assertThat(whole).hasSizeGreaterThanOrEqualTo(bytes); // without a carriage return
                assertThat(line.read()).isEqualTo(-1);
                batches.add(List.of(whole));
              }
            });
    return batches;
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  @RepeatedTest(300)
  void gives_every_line_once(RepetitionInfo repetition) throws IOException {
    Random random = new Random(repetition.getCurrentRepetition());
    String text =
        random
            .ints(random.nextInt(60), '\n', '\r' + 1)
            .mapToObj(Character::toString)
            .collect(Collectors.joining());
    int lines = 1 + random.nextInt(5);
    int bytes = 2 + random.nextInt(9);
    int most = 1 + random.nextInt(20);
    List<String> right = new ArrayList<>();
    String rest = text;
    while (!rest.isEmpty()) {
      int end = rest.indexOf('\n') < 0 ? rest.length() : rest.indexOf('\n');
      String line = rest.substring(0, Math.min(end + 1, rest.length()));
      right.add(line.replaceFirst("\r?\n$", "") + "\n");
      rest = rest.substring(Math.min(end + 1, rest.length()));
    }
    byte[] input = text.getBytes(StandardCharsets.UTF_8);
    assertThat(read(pausing(input, most), lines, bytes).stream().flatMap(List::stream))
        .isEqualTo(right);
    assertThat(read(new ByteArrayInputStream(input), lines, bytes).stream().flatMap(List::stream))
        .isEqualTo(right);
  }

  @Test
  void hands_out_lines_when_the_input_pauses() throws IOException {
    byte[] input = "a\nbc\nde\nf\n".getBytes(StandardCharsets.UTF_8);
    assertThat(read(pausing(input, 4), 9, 99))
        .containsExactly(List.of("a\n"), List.of("bc\n", "de\n"), List.of("f\n"));
    assertThat(read(new ByteArrayInputStream(input), 3, 99))
        .containsExactly(List.of("a\n", "bc\n", "de\n"), List.of("f\n"));
    assertThat(read(new ByteArrayInputStream(input), 3, 5))
        .containsExactly(List.of("a\n", "bc\n"), List.of("de\n", "f\n"));
  }

  @Test
  void does_not_wait_after_a_long_line() throws IOException {
    byte[] input = "abcdefgh\ni\njkl\n".getBytes(StandardCharsets.UTF_8);
    assertThat(read(pausing(input, 11), 9, 4))
        .containsExactly(List.of("abcdefgh\n"), List.of("i\n"), List.of("jkl\n"));
  }
}
