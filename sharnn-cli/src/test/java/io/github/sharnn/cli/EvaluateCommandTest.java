package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluateCommandTest extends TrainedModelTest {

  @Test
  void evaluates_every_byte_but_the_first_of_a_part() {
    Outcome outcome = run("evaluate", model, "--corpus", corpus, "--streams", 1);
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out())
        .matches(
            "(?s)device .* Java \\S+\n"
                + "\\d\\.\\d{4} BPC \\(209 bytes of the test part.*1 streams\\).*");
  }

  @Test
  void backs_off_to_less_memory_and_to_no_attention() {
    List<String> results = new ArrayList<>();
    for (List<Object> options :
        List.of(
            List.<Object>of(),
            List.<Object>of("--memory-length", 4),
            List.<Object>of("--memory-length", 0),
            List.<Object>of("--no-attention"))) {
      List<Object> args = new ArrayList<>(List.of("evaluate", model, "--corpus", corpus));
      args.addAll(List.of("--streams", 1, "--sequence-length", 2));
      args.addAll(options);
      Outcome outcome = run(args.toArray());
      assertThat(outcome.code()).isZero();
      assertThat(outcome.out()).contains(" BPC (209 bytes");
      results.add(outcome.out().lines().skip(1).findFirst().orElseThrow()); // parameters
    }
    assertThat(results.get(1)).isEqualTo(results.get(0));
    assertThat(results.get(3)).startsWith("parameters ").isNotEqualTo(results.get(0));
    assertThat(run("evaluate", model, "--memory-length", -1).err())
        .contains("--memory-length must be at least 0, but is -1");
  }

  @Test
  void int8_gives_the_figures_of_the_quantized_folder(@TempDir Path folder) {
    Path smaller = folder.resolve("smaller");
    assertThat(run("quantize", model, "--output", smaller).code()).isZero();
    Outcome int8 = run("evaluate", model, "--corpus", corpus, "--precision", "INT8");
    assertThat(int8.out()).startsWith("device cpu, precision FLOAT32 with INT8 weights\n");
    assertThat(figures(int8)).isEqualTo(figures(run("evaluate", smaller, "--corpus", corpus)));
    Outcome refused =
        run("evaluate", model, "--corpus", corpus, "--precision", "INT8", "--dynamic");
    assertThat(refused.code()).isEqualTo(Sharnn.BAD_USAGE);
    assertThat(refused.err())
        .contains("--dynamic changes weights, which INT8 does not allow: leave out --dynamic or");
  }

  private static List<String> figures(Outcome outcome) {
    List<String> lines = outcome.out().lines().skip(3).toList(); // of the header
    assertThat(lines.get(0)).contains(" BPC (");
    return lines;
  }

  @Test
  void sets_dynamic_evaluation_beside_evaluation() {
    Outcome plain = run("evaluate", model, "--corpus", corpus, "--streams", 2);
    Outcome both =
        run(
            "evaluate",
            model,
            "--corpus",
            corpus,
            "--streams",
            2,
            "--dynamic",
            "--dynamic-rate",
            0,
            "--dynamic-epsilon",
            0.5,
            "--dynamic-segments",
            3,
            "--dynamic-precision",
            "FLOAT32");
    assertThat(both.err()).isEmpty();
    assertThat(both.code()).isZero();
    assertThat(both.out()).startsWith(plain.out());
    String figure =
        plain.out().lines().filter(line -> line.contains(" BPC (")).findFirst().orElseThrow();
    assertThat(both.out().substring(plain.out().length()))
        .startsWith(figure.substring(0, figure.indexOf(" BPC")) + " BPC with dynamic evaluation")
        .contains("segments of 128, rate 0.0, decay 0.01, epsilon 0.5, 3 segments of training text")
        .containsPattern("\nperplexity \\S+ a token \\(210\\), \\S+ a word \\(");
    Outcome refused = run("evaluate", model, "--corpus", corpus, "--dynamic", "--dynamic-decay", 2);
    assertThat(refused.err()).contains("decay of dynamic evaluation must lie between 0 and 1");
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.out()).as("nothing is evaluated before").isEmpty();
    Outcome alone = run("evaluate", model, "--corpus", corpus, "--dynamic-rate", 0.3);
    assertThat(alone.err()).contains("Missing required argument(s): --dynamic");
    assertThat(alone.code()).isEqualTo(2);
  }

  @Test
  void warns_of_a_corpus_that_is_still_packed(@TempDir Path folder) throws IOException {
    Path packed = folder.resolve("corpus.txt.gz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(packed))) {
      out.write(
          new Random(1).ints(500).mapToObj(Integer::toString).collect(joining()).getBytes(UTF_8));
    }
    Outcome outcome = run("evaluate", model, "--corpus", packed);
    assertThat(outcome.err())
        .isEqualToNormalizingNewlines(
            String.format(
                Locale.ROOT,
                "warning: %s looks like a gzip file: unpack it, unless you want to model its packed bytes\n",
                packed));
    assertThat(outcome.code()).isZero();
  }

  @Test
  void warns_of_a_corpus_in_utf_16(@TempDir Path folder) throws IOException {
    Path wide = folder.resolve("wide.txt");
    Files.write(wide, "abcd efgh ".repeat(50).getBytes(StandardCharsets.UTF_16)); // with a mark
    Outcome outcome = run("evaluate", model, "--corpus", wide, "--streams", 1);
    assertThat(outcome.err())
        .startsWith("warning: " + wide + " looks like text in UTF-16: convert it to UTF-8");
    assertThat(outcome.code()).isZero();
  }
}
