package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.util.JsonUtils;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** A resumed run keeps the options of the command line that began it. */
class ResumedOptionsTest extends TrainedModelTest {

  /** Each option whose effect a checkpoint holds beside its text, with a value to give. */
  private static final Map<String, String> GIVEN =
      Map.ofEntries(
          Map.entry("--layers", "3"),
          Map.entry("--attention-layers", "2"),
          Map.entry("--splits", "101,110"),
          Map.entry("--dropout", "0.25"),
          Map.entry("--weight-drop", "0.125"),
          Map.entry("--clip-norm", "0.5"),
          Map.entry("--seed", "7"),
          Map.entry("--evaluation-interval", "1"),
          Map.entry("--evaluation-streams", "2"),
          Map.entry("--patience", "9"),
          Map.entry("--zero-state", "0.5"),
          Map.entry("--average-decay", "0.75"),
          Map.entry("--lookahead", "2,0.5"),
          Map.entry("--learning-rate", "0.03"),
          Map.entry("--warm-up", "2"),
          Map.entry("--cooldown", "5"),
          Map.entry("--decay-after", "3,4"),
          Map.entry("--plateau", "0.5,8"),
          Map.entry("--split", "0.8,0.1,0.1"),
          Map.entry("--separator", "mnop. "),
          Map.entry("--split-by", "random:5"),
          Map.entry("--checkpoint-interval", "1"),
          Map.entry("--keep", "5"));

  @TempDir private Path folder;

  private List<String> metrics(Path file) throws IOException {
    return Files.readAllLines(file).stream().filter(line -> line.contains("\"step\":")).toList();
  }

  @Test
  void keeps_every_option() throws IOException {
    Path saved = folder.resolve("m");
    Path metrics = folder.resolve("x.jsonl");
    String text = "ab ${sys:user.name} \"c\" @d, 'e'";
    List<Object> args = new ArrayList<>(List.of("--output", saved, "--steps", 3));
    GIVEN.forEach((option, value) -> args.addAll(List.of(option, value)));
    args.addAll(List.of("--cosine", "--recipe", "fast", "--metrics", metrics));
    args.addAll(List.of("--report-text", text));
    Outcome first = train(args.toArray());
    assertThat(first.err()).isEmpty();
    Checkpoint before = Checkpoint.open(saved);
    assertThat(before.policy().program())
        .containsAllEntriesOf(GIVEN)
        .containsEntry("--metrics", metrics.toAbsolutePath().toString())
        .containsEntry("--report-text", text)
        .containsEntry("--recipe", "fast")
        .doesNotContainKeys("--output");

    Outcome second = run("train", "--resume", saved, "--steps", 5);
    assertThat(second.err()).isEmpty();
    assertThat(second.out()).contains("--steps was 3, is now 5");
    Checkpoint after = Checkpoint.open(saved);
    assertThat(after.step()).isEqualTo(5);
    assertThat(after.config()).isEqualTo(before.config());
    assertThat(after.options()).isEqualTo(before.options());
    assertThat(after.stages().get(0).learningRate())
        .isEqualTo(before.stages().get(0).learningRate());
    assertThat(after.stages().get(0).budget().patience()).isEqualTo(9);
    assertThat(after.policy().steps()).isOne();
    assertThat(after.policy().keep()).isEqualTo(5);
    assertThat(after.policy().interval()).isZero();
    assertThat(Checkpoint.list(saved)).hasSize(5);
    assertThat(metrics(metrics)).hasSize(5).last().asString().contains("\"step\":5,");
    assertThat(saved.resolve("metrics.jsonl")).doesNotExist();
    assertThat(Files.readAllLines(metrics))
        .filteredOn(line -> line.startsWith("{\"run\""))
        .hasSize(2)
        .allMatch(line -> line.contains("\"recipe\":\"fast\""))
        .allMatch(line -> line.contains("ab ${sys:user.name} \\\"c\\\" @d, "));
  }

  /** Fails for a new option, which then gets a value above or a line below. */
  @Test
  void knows_every_option() {
    Set<String> options = new TreeSet<>();
    for (OptionSpec option : new CommandLine(new TrainCommand()).getCommandSpec().options()) {
      options.add(option.longestName());
    }
    options.removeAll(GIVEN.keySet());
    assertThat(options)
        .containsExactlyInAnyOrder(
            // given by the fixture or in the test itself
            "--corpus",
            "--embedding-size",
            "--boom-size",
            "--memory-length",
            "--batch-size",
            "--sequence-length",
            "--metrics",
            "--report-text",
            "--recipe",
            "--cosine",
            "--steps",
            // other forms of the same: they change the same record
            "--epochs",
            "--minutes",
            "--linear",
            "--checkpoint-minutes",
            "--default-splits",
            "--enwik8",
            "--label-smoothing",
            "--kernels",
            "--optimizer",
            "--weight-decay",
            "--cautious-decay",
            "--embedding-rate",
            "--rest-rate",
            "--final-rate",
            "--hold",
            "--iterations",
            // files for each part have a test below
            "--validation",
            "--test",
            "--documents",
            // vocabulary and device have tests of their own
            "--vocabulary",
            "--minimum-count",
            "--device",
            // FineTuningTest
            "--freeze",
            "--old-corpus",
            "--old-share",
            // one process
            "--output",
            "--resume",
            "--watch",
            "--from");
  }

  @Test
  void uses_a_changed_option_and_says_so() throws IOException {
    Path saved = folder.resolve("m");
    train("--output", saved, "--steps", 3, "--checkpoint-interval", 1, "--keep", 2);
    Outcome second =
        run("train", "--resume", saved, "--steps", 5, "--keep", 4, "--checkpoint-minutes", 7);
    assertThat(second.err()).isEmpty();
    assertThat(second.out())
        .contains("--keep was 2, is now 4", "--checkpoint-minutes was not given, is now 7");
    CheckpointPolicy policy = Checkpoint.open(saved).policy();
    assertThat(policy.keep()).isEqualTo(4);
    assertThat(policy.steps()).isZero();
    assertThat(policy.interval()).isEqualTo(Duration.ofMinutes(7));
    Outcome third = run("train", "--resume", saved, "--steps", 6, "--report-text", "efgh");
    assertThat(third.out()).contains("--report-text was not given, is now efgh");
    assertThat(Checkpoint.open(saved).policy().keep()).isEqualTo(4);
    assertThat(Checkpoint.open(saved).policy().interval()).isEqualTo(Duration.ofMinutes(7));
  }

  @Test
  void finds_its_metrics_and_its_split_after_a_move() throws IOException {
    Path saved = folder.resolve("m");
    train("--output", saved, "--steps", 2, "--metrics", saved.resolve("my.jsonl"));
    Path moved = Files.move(saved, folder.resolve("moved"));
    Path text = Files.copy(corpus, folder.resolve("moved.txt"));
    Outcome second = run("train", "--resume", moved, "--steps", 3, "--corpus", text);
    assertThat(second.err()).isEmpty();
    assertThat(metrics(moved.resolve("my.jsonl"))).hasSize(3);
    train("--output", saved, "--steps", 2, "--split", "0.7,0.2,0.1");
    Outcome other = run("train", "--resume", saved, "--steps", 3, "--corpus", text);
    assertThat(other.err()).isEmpty();
    assertThat(other.out()).contains("moved.txt: training 2,940, validation 840");
  }

  @Test
  void keeps_the_files_of_each_part() throws IOException {
    Path saved = folder.resolve("m");
    Path more = Files.copy(corpus, folder.resolve("more.txt"));
    Path validation = Files.writeString(folder.resolve("v.txt"), "abcd efgh\nijkl\n");
    train(
        "--corpus",
        more,
        "--validation",
        validation,
        "--test",
        validation,
        "--test",
        corpus,
        "--documents",
        "lines",
        "--output",
        saved,
        "--steps",
        2);
    Outcome second = run("train", "--resume", saved, "--steps", 3);
    assertThat(second.err()).isEmpty();
    assertThat(second.out())
        .contains("corpus.txt and 4 more: training 8,400, validation 15, test 4,215 bytes")
        .contains("; 2, 2 and 3 documents");
    Path moved = Files.move(more, folder.resolve("moved.txt"));
    assertThat(run("train", "--resume", saved, "--steps", 4).err()).contains("more.txt");
    Outcome third =
        run("train", "--resume", saved, "--steps", 4, "--corpus", corpus, "--corpus", moved);
    assertThat(third.err()).isEmpty();
    assertThat(metrics(saved.resolve("metrics.jsonl"))).hasSize(4);
    Outcome other = run("train", "--resume", saved, "--steps", 5, "--corpus", moved);
    assertThat(other.err()).contains("layout was ", "\"counts\":[2,1,2]", "is now ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"_NULL_", "--keep", "\"a\"", "@a", "${a:-b}"})
  void keeps_texts_that_mean_something_to_picocli(String text) throws IOException {
    Path saved = folder.resolve("m");
    Path metrics = saved.resolve("_NULL_");
    train("--output", saved, "--steps", 1, "--metrics", metrics, "--report-text=" + text);
    Outcome second = run("train", "--resume", saved, "--steps", 2);
    assertThat(second.err()).isEmpty();
    assertThat(Checkpoint.open(saved).policy().program())
        .containsEntry("--report-text", text)
        .containsEntry("--metrics", "_NULL_");
    String json = JsonUtils.GSON.toJson(text);
    assertThat(Files.readAllLines(metrics))
        .filteredOn(line -> line.startsWith("{\"run\""))
        .hasSize(2)
        .allMatch(line -> line.contains("\"text\":" + json));
    assertThat(metrics(metrics)).hasSize(2);
  }
}
