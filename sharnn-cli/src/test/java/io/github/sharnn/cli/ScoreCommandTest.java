package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class ScoreCommandTest extends TrainedModelTest {

  @Test
  void scores_a_file_its_lines_and_its_bytes(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\n\nijkl \u00fc!\nxqzw");
    Outcome totals = run("score", model, file);
    assertThat(totals.code()).isZero();
    assertThat(totals.err()).startsWith("device cpu, precision FLOAT32\n").hasLineCount(3);
    assertThat(totals.out())
        .matches(
            "24 bytes, \\S+ bits per byte, \\S+ nats, perplexity \\S+, expected \\S+ bits .*\n");
    Outcome lines = run("score", model, file, "--lines");
    assertThat(lines.out().lines().map(line -> row(line).get(0)))
        .allSatisfy(bits -> assertThat(bits).matches("\\d+\\.\\d{4}"));
    assertThat(lines.out().lines().map(line -> row(line).get(1) + "\t" + row(line).get(9)))
        .containsExactly("1\tabcd efgh", "2\t", "3\tijkl \u00fc!", "4\txqzw");
    Outcome bytes = run("score", model, file, "--bytes");
    assertThat(bytes.out()).hasLineCount(25).endsWith(totals.out());
    assertThat(bytes.out().lines().skip(13).findFirst().orElseThrow())
        .matches("13\t107\t\\S+\t\\d+\t\\S+");
    assertThat(run("score", model, file, "--lines", "--bytes").code()).isEqualTo(2);
    assertThat(run("score", model, file, "--segment-length", 0).err())
        .contains("--segment-length must be at least 1 token, but is 0");
    assertThat(run("score", model, folder).err()).contains(folder + " is a folder: name a file");
  }

  @Test
  void int8_gives_the_scores_of_the_quantized_folder(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\nijkl xqzw");
    Path smaller = folder.resolve("smaller");
    assertThat(run("quantize", model, "--output", smaller).code()).isZero();
    Outcome int8 = run("score", model, file, "--precision", "INT8", "--bytes");
    assertThat(int8.err()).startsWith("device cpu, precision FLOAT32 with INT8 weights\n");
    assertThat(int8.out())
        .isEqualTo(run("score", smaller, file, "--bytes").out())
        .isNotEqualTo(run("score", model, file, "--bytes").out());
  }

  private static List<String> row(String line) {
    return List.of(line.split("\t", 10));
  }

  @Test
  void a_line_ends_at_a_newline_or_a_carriage_return_and_a_newline(@TempDir Path folder)
      throws IOException {
    Path windows = Files.writeString(folder.resolve("windows"), "ab\rcd\r\nef\r\n\r\n");
    Path unix = Files.writeString(folder.resolve("unix"), "ab\rcd\nef\n\n");
    String lines = run("score", model, windows, "--lines").out();
    assertThat(lines).matches("[\\d.]+\t1\t\\S.*\tab\rcd\n[\\d.]+\t2\t\\S.*\tef\n.*\t\n");
    assertThat(lines).isEqualTo(run("score", model, unix, "--lines").out());
  }

  @Test
  void prints_named_columns(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\nqqqq\tz\n");
    String[] lines = run("score", model, file, "--lines", "--header", "--top", 2).out().split("\n");
    assertThat(lines).hasSize(3);
    assertThat(lines[0])
        .isEqualTo(
            "bits_per_byte\tline\texcess_per_byte\tz_score\tbits\tvariance\tmax_bits\tmax_place"
                + "\ttop\ttext");
    List<String> row = row(lines[2]);
    assertThat(row).endsWith("qqqq\tz");
    try (Model loaded = SHARNN.load(model)) {
      Score score = Scorer.builder(loaded).topSurprises(2).build().score("qqqq\tz\n");
      Score.Totals totals = score.totals();
      List<Double> right =
          List.of(
              totals.bitsPerByte(),
              2.0,
              totals.excessBitsPerByte(),
              totals.zScore(),
              totals.bits(),
              totals.varianceInBits(),
              totals.greatestSurprise());
      for (int i = 0; i < right.size(); i++) {
        assertThat(Double.valueOf(row.get(i))).isCloseTo(right.get(i), within(2e-4));
      }
      assertThat(row.get(7)).isEqualTo(totals.top().get(0).place() + "");
      assertThat(row.get(8)).matches(row.get(7) + ":" + row.get(6) + ",\\d:\\d+\\.\\d{4}");
    }
  }

  @Test
  void a_cache_changes_no_score(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\nijkl\n".repeat(800));
    String plain = run("score", model, file, "--lines").out();
    Outcome cached = run("score", model, file, "--lines", "--cache", 1);
    assertThat(cached.out()).isEqualTo(plain).hasLineCount(1600);
    assertThat(run("score", model, file, "--lines", "--cache", -1).err())
        .contains("--cache must be at least 0 MiB, but is -1");
    assertThat(run("score", model, file, "--header").err()).contains("--lines");
    assertThat(run("score", model, file, "--lines", "--top", 0).err())
        .contains("--top must be at least 1 token, but is 0");
  }

  @Test
  void scores_with_a_tokenizer_that_drops_white_space(@TempDir Path folder) throws IOException {
    Path tokenizer = folder.resolve("tokenizer.json");
    Files.writeString(
        tokenizer,
        """
        {"version":"1.0","pre_tokenizer":{"type":"Whitespace"},"model":{"type":"WordLevel",
         "unk_token":"[UNK]","vocab":{"[UNK]":0,"abcd":1,"efgh":2,"ijkl":3,"mnop":4,".":5}}}
        """);
    Path lossy = folder.resolve("model");
    assertThat(train("--output", lossy, "--steps", 1, "--vocabulary", tokenizer).err()).isEmpty();
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\nmnop .\n");
    Outcome tokens = run("score", lossy, file, "--tokens");
    assertThat(tokens.code()).isZero();
    assertThat(tokens.out())
        .containsPattern("(?s)^0\t1\t.*\tabcd\n1\t2\t.*\n2\t4\t.*\n3\t5\t.*\n17 bytes, ");
  }

  @Test
  void scores_lines_without_a_token(@TempDir Path folder) throws IOException {
    Path tokenizer = folder.resolve("tokenizer.json");
    Files.writeString(
        tokenizer,
        """
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
         "normalizer":{"type":"Replace","pattern":{"String":"#\\n"},"content":""},
         "pre_tokenizer":{"type":"Split","pattern":{"String":" "},"behavior":"Removed",
         "invert":false},"post_processor":null,
         "decoder":null,"model":{"type":"WordLevel","unk_token":"[UNK]",
         "vocab":{"[UNK]":0,"abcd":1,"efgh":2,"ijkl":3,"mnop":4,".":5}}}
        """);
    Path lossy = folder.resolve("model");
    assertThat(train("--output", lossy, "--steps", 1, "--vocabulary", tokenizer).err()).isEmpty();
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\n#\nijkl mnop .\n");
    Outcome lines = run("score", lossy, file, "--lines");
    assertThat(lines.err()).contains("device cpu").hasLineCount(3);
    assertThat(lines.out())
        .matches(
            "\\d+\\.\\d{4}\t1\t.*\tabcd efgh\n-\t2\t-\t-\t-\t-\t-\t-\t-\t#\n"
                + "\\d+\\.\\d{4}\t3\t.*\tijkl mnop \\.\n");
  }

  @Test
  void refuses_to_score_an_empty_file(@TempDir Path folder) throws IOException {
    Path empty = Files.createFile(folder.resolve("empty"));
    Outcome outcome = run("score", model, empty);
    assertThat(outcome.err()).contains(empty + " must have at least one token to score");
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.out()).isEmpty();
    assertThat(run("score", model, empty, "--lines").out()).isEmpty();
  }

  @Test
  @SuppressWarnings("try") // the test ends the input before the block does
  @Timeout(60)
  void scores_a_line_of_a_live_pipe_when_it_has_come() throws Exception {
    InputStream before = System.in;
    try (PipedOutputStream writer = new PipedOutputStream()) {
      System.setIn(new PipedInputStream(writer, 1 << 10));
      PipedInputStream scores = new PipedInputStream();
      PrintStream out = System.out;
      System.setOut(new PrintStream(new PipedOutputStream(scores), true, StandardCharsets.UTF_8));
      FutureTask<Integer> score =
          new FutureTask<>(() -> Sharnn.run("score", model.toString(), "-", "--lines"));
      new Thread(score).start();
      try {
        BufferedReader reader =
            new BufferedReader(new InputStreamReader(scores, StandardCharsets.UTF_8));
        for (int i = 1; i <= 3; i++) {
          writer.write(("abcd " + i + "\nun").getBytes(StandardCharsets.UTF_8));
          writer.flush();
          assertThat(reader.readLine())
              .matches("\\d+\\.\\d{4}\t" + i + "\t.*\t" + (i == 1 ? "" : "un") + "abcd " + i);
        }
        writer.close();
        assertThat(reader.readLine()).contains("\t4\t").endsWith("\tun");
        assertThat(score.get()).isZero();
      } finally {
        System.setOut(out);
      }
    } finally {
      System.setIn(before);
    }
  }

  @Test
  void scores_long_lines_like_any_other(@TempDir Path folder) throws IOException {
    String line = "abcd efgh ijkl mnop. ".repeat(3200);
    Path file = Files.writeString(folder.resolve("log"), "abcd\n" + line + "\nefgh");
    Outcome lines = run("score", model, file, "--lines", "--segment-length", 512);
    Files.writeString(file, line + "\n");
    String whole = run("score", model, file, "--segment-length", 512).out();
    String bits = whole.replaceFirst("(?s)^.* bytes, ([0-9.]+) bits.*", "$1");
    assertThat(lines.out().lines())
        .hasSize(3)
        .element(1, STRING)
        .startsWith(bits + "\t2\t")
        .endsWith("\t" + line);
    assertThat(lines.out().lines()).element(2, STRING).contains("\t3\t").endsWith("\tefgh");
  }

  @Test
  void gives_back_bytes_that_are_no_text(@TempDir Path folder) throws IOException {
    byte[] bytes = {'a', (byte) 0xfc, (byte) 0xff, '\n'};
    Path file = Files.write(folder.resolve("log"), bytes);
    PrintStream before = System.out;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    try {
      assertThat(Sharnn.run("score", model.toString(), file.toString(), "--lines")).isZero();
    } finally {
      System.setOut(before);
    }
    assertThat(out.toByteArray()).endsWith(bytes);
  }

  @Test
  void scores_standard_input_even_beside_a_folder_named_so() throws IOException {
    InputStream before = System.in;
    Path folder = Files.createDirectory(Path.of("-"));
    try {
      System.setIn(new ByteArrayInputStream("abcd efgh".getBytes(StandardCharsets.UTF_8)));
      assertThat(run("score", model, "-").out()).startsWith("9 bytes, ");
    } finally {
      Files.delete(folder);
      System.setIn(before);
    }
    assertThat(run("score", model, "no-such-file").err())
        .contains("no such file or folder: no-such-file");
  }
}
