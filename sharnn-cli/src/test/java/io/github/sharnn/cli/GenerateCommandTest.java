package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GenerateCommandTest extends TrainedModelTest {

  @Test
  void generates_the_same_text_from_the_same_seed() {
    List<Object> seeded =
        List.of("generate", model, "--prompt", "abcd ", "--length", 40, "--seed", 42);
    Outcome first = run(seeded.toArray());
    Outcome second = run(seeded.toArray());
    Outcome other = run("generate", model, "--prompt", "abcd ", "--length", 40, "--seed", 7);
    assertThat(first.code()).isZero();
    assertThat(first.out()).startsWith("abcd ").hasSizeGreaterThan(20);
    assertThat(first.err()).startsWith("device cpu, precision FLOAT32\n").hasLineCount(3);
    assertThat(second.out()).isEqualTo(first.out()).isNotEqualTo(other.out());
  }

  @Test
  void draws_a_seed_and_prints_it() {
    Outcome drawn = run("generate", model, "--length", 40);
    Matcher line =
        Pattern.compile("(?m)^--seed (\\d+) gives this text again$").matcher(drawn.err());
    assertThat(line.find()).as(drawn.err()).isTrue();
    assertThat(run("generate", model, "--length", 40, "--seed", line.group(1)).out())
        .isEqualTo(drawn.out());
    assertThat(run("generate", model, "--length", 40).out()).isNotEqualTo(drawn.out());
  }

  @Test
  void stops_after_the_first_of_several_texts() {
    List<Object> args =
        List.of("generate", model, "--prompt", "abcd ", "--length", 60, "--seed", 1);
    String text = run(args.toArray()).out();
    String late = text.substring(40, 43);
    String early = text.substring(25, 28);
    int end = "abcd ".length();
    int first =
        Math.min(
            text.indexOf(late, end) + late.length(), text.indexOf(early, end) + early.length());
    for (List<String> stops : List.of(List.of(late, early), List.of(early, late))) {
      List<Object> more = new ArrayList<>(args);
      stops.forEach(stop -> more.addAll(List.of("--stop", stop)));
      assertThat(run(more.toArray()).out()).isEqualTo(text.substring(0, first) + "\n");
    }
  }

  @Test
  void samples_with_every_option() {
    List<Object> args =
        new ArrayList<>(List.of("generate", model, "--temperature", 2, "--seed", 1));
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
  void kernels_are_chosen() {
    List<Object> args = List.of("generate", model, "--length", 3, "--seed", 1);
    String plain = run(args.toArray()).out();
    List<Object> off = new ArrayList<>(args);
    off.addAll(List.of("--kernels", "off"));
    assertThat(run(off.toArray()).out()).isEqualTo(plain);
    Outcome required = run("generate", model, "--length", 3, "--kernels", "required");
    assertThat(required.code()).isEqualTo(1);
    assertThat(required.err())
        .contains(
            "this library's kernels can't run, because the device is cpu: --kernels must be auto or off");
  }

  @Test
  void prints_the_text_as_it_comes_or_at_once() {
    Outcome plain = run("generate", model, "--length", 40, "--seed", 1);
    Outcome streamed = run("generate", model, "--length", 40, "--seed", 1, "--stream");
    Outcome atOnce = run("generate", model, "--length", 40, "--seed", 1, "--no-stream");
    assertThat(streamed.out()).isEqualTo(plain.out()).isEqualTo(atOnce.out()).endsWith("\n");
  }

  @Test
  void an_argument_is_what_it_says(@TempDir Path folder) throws IOException {
    Files.writeString(folder.resolve("alice"), "Hello");
    for (String prompt :
        List.of(
            "@@ -1,3",
            "@" + folder.resolve("alice"),
            "mail to @alice",
            "-",
            "--",
            "-h",
            "--help",
            "--seed",
            "-1",
            "${sys:user.home} ${env:HOME} $HOME",
            "_NULL_",
            "__unspecified__",
            "'quoted' \"text\"",
            " a\t b\n",
            "a,b;c=d",
            "100%% %s",
            "\\n",
            "caf\u00e9 \ud83d\ude42")) {
      Outcome outcome = run("generate", model, "--length", 3, "--seed=1", "--prompt", prompt);
      assertThat(outcome.code()).as(outcome.err()).isZero();
      assertThat(outcome.out()).startsWith(prompt);
      assertThat(run("generate", model, "--length", 3, "--seed=1", "--prompt=" + prompt).out())
          .isEqualTo(outcome.out());
      Path file = Files.writeString(folder.resolve("prompt"), prompt);
      assertThat(run("generate", model, "--length", 3, "--seed=1", "--prompt-file", file).out())
          .isEqualTo(outcome.out());
      assertThat(run("generate", model, "--length", 3, "--stop", prompt).code()).isZero();
    }
    assertThat(run("generate", model, "--prompt").err()).contains("--prompt must be followed by");
  }

  @Test
  void reads_a_prompt_from_standard_input(@TempDir Path folder) throws IOException {
    InputStream before = System.in;
    try {
      System.setIn(new ByteArrayInputStream("abcd \u00fc\n".getBytes(StandardCharsets.UTF_8)));
      Outcome outcome = run("generate", model, "--length", 3, "--prompt-file", "-");
      assertThat(outcome.out()).startsWith("abcd \u00fc\n");
    } finally {
      System.setIn(before);
    }
    Path latin1 = Files.write(folder.resolve("latin1"), new byte[] {'a', (byte) 0xfc});
    Outcome wrong = run("generate", model, "--prompt-file", latin1);
    assertThat(wrong.err()).contains("--prompt-file must be UTF-8, but " + latin1);
    assertThat(wrong.code()).isEqualTo(2);
    Path empty = Files.createFile(folder.resolve("empty"));
    assertThat(run("generate", model, "--prompt-file", empty).err())
        .startsWith("error: --prompt-file must have at least one byte, but " + empty + " is empty");
    Path none = latin1.getParent();
    assertThat(run("generate", model, "--prompt-file", none).err())
        .startsWith("error: --prompt-file must be a file, but " + none + " is a folder");
    assertThat(run("generate", latin1).err()).startsWith("error: " + latin1 + " is not a folder;");
    Outcome both = run("generate", model, "--prompt-file", latin1, "--prompt", "a");
    assertThat(both.err()).contains("--prompt and --prompt-file exclude each other");
    assertThat(both.code()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--top-p 0 | --top-p must be",
        "--top-p 1.5 | --top-p must be",
        "--temperature 0 | --temperature must be",
        "--top-k -1 | --top-k must be",
        "--length 0 | --length must be",
        "--min-p 2 | --min-p must be",
        "--repetition-penalty 0 | --repetition-penalty must be",
        "--repetition-window -1 | --repetition-window must be",
        "--repetition-window 9 | --repetition-window needs a --repetition-penalty other than 1",
        "--prompt= | --prompt must have at least one token of the model's vocabulary"
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
