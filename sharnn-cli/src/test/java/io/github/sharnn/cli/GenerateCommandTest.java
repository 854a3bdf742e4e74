package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GenerateCommandTest extends TrainedModelTest {

  @Test
  void generates_the_same_text_from_the_same_seed() {
    Outcome first = run("generate", model, "--prompt", "abcd ", "--length", 40);
    Outcome second = run("generate", model, "--prompt", "abcd ", "--length", 40);
    Outcome other = run("generate", model, "--prompt", "abcd ", "--length", 40, "--seed", 7);
    assertThat(first.code()).isZero();
    assertThat(first.out()).startsWith("abcd ").hasSizeGreaterThan(20);
    assertThat(first.err()).startsWith("device cpu, precision FLOAT32\n").hasLineCount(3);
    assertThat(second.out()).isEqualTo(first.out()).isNotEqualTo(other.out());
  }

  @Test
  void samples_with_every_option() {
    List<Object> args = new ArrayList<>(List.of("generate", model, "--temperature", 2));
    args.addAll(List.of("--length", 60));
    String plain = run(args.toArray()).out();
    for (List<Object> option :
        List.of(
            List.<Object>of("--min-p", 1),
            List.<Object>of("--repetition-penalty", 4),
            List.<Object>of("--top-k", 1),
            List.<Object>of("--top-p", 0.01))) {
      List<Object> more = new ArrayList<>(args);
      more.addAll(option);
      assertThat(run(more.toArray()).out()).as("%s", option).isNotEqualTo(plain);
    }
    args.addAll(List.of("--repetition-penalty", 4, "--repetition-window", 0));
    assertThat(run(args.toArray()).out()).isEqualTo(plain);
  }

  @Test
  void prints_the_text_as_it_comes_or_at_once() {
    Outcome plain = run("generate", model, "--length", 40);
    Outcome streamed = run("generate", model, "--length", 40, "--stream");
    Outcome atOnce = run("generate", model, "--length", 40, "--no-stream");
    assertThat(streamed.out()).isEqualTo(plain.out()).isEqualTo(atOnce.out()).endsWith("\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--top-p 0 | topP",
        "--top-p 1.5 | topP",
        "--temperature 0 | temperature",
        "--top-k -1 | topK",
        "--length 0 | length",
        "--min-p 2 | minP",
        "--repetition-penalty 0 | repetitionPenalty",
        "--repetition-window -1 | repetitionWindow",
        "--prompt= | prompt must have at least one of the model's"
      })
  void refuses_bad_options_of_generate(String options, String message) {
    List<Object> args = new ArrayList<>(List.of("generate", model));
    args.addAll(List.of(options.trim().split(" ")));
    Outcome outcome = run(args.toArray());
    assertThat(outcome.err().lines().reduce((first, last) -> last).orElseThrow())
        .startsWith("error: ")
        .contains(message);
    assertThat(outcome.code()).isEqualTo(2);
  }
}
