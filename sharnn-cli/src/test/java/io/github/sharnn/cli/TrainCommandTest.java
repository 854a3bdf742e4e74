package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code train}: its options, its recipes and resumed runs. */
class TrainCommandTest extends TrainedModelTest {

  @Test
  void options_override_those_of_a_recipe(@TempDir Path folder) throws IOException {
    Outcome outcome =
        train(
            "--recipe",
            "fast",
            "--steps",
            3,
            "--layers",
            3,
            "--output",
            folder.resolve("model"),
            "--metrics",
            folder.resolve("metrics.jsonl"));
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    LearningRateSchedule fast = Recipe.FAST.stages().get(0).learningRate();
    assertThat(outcome.out())
        .contains("layers=3", "attentionLayers=[1]", "hiddenDropout=0.0", "embeddingSize=16")
        .contains("fast: [", fast.toString(), "[3 steps at rate ")
        .contains("optimizer muon (", "clip norm 1.0", "average decay ")
        .contains("best: step 3", "4 streams");
    assertThat(folder.resolve("model/metrics.jsonl")).doesNotExist();
    assertThat(Files.readAllLines(folder.resolve("metrics.jsonl")))
        .filteredOn(line -> line.contains("\"stage\""))
        .hasSize(3)
        .last()
        .asString()
        .contains("\"step\":3", "\"validationBpc\":")
        .contains("\"learningRate\":" + fast.rate(3, 0));
  }

  @Test
  void the_device_chooses_the_recipe_if_none_is_given(@TempDir Path folder) throws IOException {
    for (Device device : List.of(Device.gpu(), Device.gpu(1))) {
      assertThat(recipe(device)).isEqualTo(Recipe.FAST);
      assertThat(recipe(device, "--recipe", "paper")).isEqualTo(Recipe.PAPER);
    }
    for (Device device : List.of(Device.cpu(), Device.of("mps", 0))) {
      assertThat(recipe(device)).isEqualTo(Recipe.SMALL);
      assertThat(recipe(device, "--recipe", "fast")).isEqualTo(Recipe.FAST);
    }
    Path saved = folder.resolve("m");
    assertThat(train("--device", "cpu", "--output", saved, "--steps", 1).out())
        .contains("small, the default on this device: [");
    assertThat(Checkpoint.open(saved).policy().program()).containsEntry("--recipe", "small");
  }

  private static Recipe recipe(Device device, String... args) {
    TrainSettings settings = CommandLine.populateCommand(new TrainSettings(), args);
    settings.byDevice(device);
    return settings.recipe();
  }

  @Test
  void a_recipe_trains_its_subwords(@TempDir Path folder) throws IOException {
    Path saved = folder.resolve("m");
    Outcome pieces = train("--recipe", "fast-subwords", "--output", saved, "--steps", 1);
    assertThat(pieces.err()).isEmpty();
    assertThat(pieces.out()).contains("trained in", "fast-subwords: [");
    assertThat(saved.resolve("tokenizer.json")).exists();
    Path bytes = folder.resolve("bytes");
    train("--recipe", "fast-subwords", "--vocabulary", "bytes", "--output", bytes, "--steps", 1);
    assertThat(Checkpoint.open(bytes).vocabulary()).isEqualTo(TextVocabulary.bytes());
  }

  @Test
  void a_recipe_takes_more_options_and_a_run_that_goes_on_keeps_them(@TempDir Path folder)
      throws IOException {
    Path more = folder.resolve("model");
    Outcome outcome =
        train(
            "--output",
            more,
            "--steps",
            4,
            "--learning-rate",
            0.5,
            "--linear",
            "--final-rate",
            0.05,
            "--hold",
            0.25,
            "--optimizer",
            "muon",
            "--weight-decay",
            0.3,
            "--cautious-decay",
            "--embedding-rate",
            0.5,
            "--rest-rate",
            0.75,
            "--iterations",
            3,
            "--cooldown",
            40,
            "--decay-after",
            "15,18",
            "--plateau",
            "0.5,1",
            "--weight-drop",
            0.2,
            "--label-smoothing",
            0.1,
            "--average-decay",
            0.9,
            "--lookahead",
            "6,0.75");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out())
        .contains(
            "weightDrop=0.2",
            "[4 steps at rate 0.5, warm-up of 50 steps, linear to 0.05 at the end, from 25% of the"
                + " budget on, cooldown to 0 from step 40 to 80, a tenth after each step of [15,"
                + " 18], times 0.5 after an evaluation without a new best]");
    assertThat(outcome.out())
        .contains(
            "optimizer muon (cautious weight decay 0.3, embedding rate x 0.5, rest rate x 0.75,"
                + " iterations 3)");
    Checkpoint checkpoint = Checkpoint.open(more);
    assertThat(checkpoint.config().weightDrop()).isEqualTo(0.2f);
    LearningRateSchedule expected =
        LearningRateSchedule.peak(0.5f)
            .warmUp(50)
            .linear(0.05f)
            .hold(0.25f)
            .cooldown(40)
            .decayAfter(15, 18)
            .plateau(0.5f, 1);
    assertThat(checkpoint.stages().get(0).learningRate()).isEqualTo(expected);
    TrainingOptions options = checkpoint.options();
    assertThat(options.optimizer())
        .isEqualTo(
            OptimizerSettings.of(OptimizerSettings.Type.MUON)
                .weightDecay(0.3f)
                .cautiousDecay(true)
                .embeddingRate(0.5f)
                .restRate(0.75f)
                .iterations(3));
    assertThat(options.labelSmoothing()).isEqualTo(0.1f);
    assertThat(options.averageDecay()).isEqualTo(0.9);
    assertThat(options.lookaheadSteps()).isEqualTo(6);
    assertThat(options.lookaheadAlpha()).isEqualTo(0.75f);
    Outcome longer = run("train", "--resume", more, "--steps", 5, "--no-linear");
    assertThat(longer.err()).isEmpty();
    assertThat(longer.code()).isZero();
    Checkpoint newest = Checkpoint.open(more);
    assertThat(newest.step()).isEqualTo(5);
    assertThat(newest.options()).isEqualTo(options);
    assertThat(newest.stages().get(0).learningRate()).isEqualTo(expected.linear(0.5f));
  }

  @Test
  void a_recipe_of_two_stages_trains_both_unless_a_budget_is_given(@TempDir Path folder)
      throws IOException {
    Path tiny = Files.writeString(folder.resolve("tiny.txt"), "abcd efgh ijkl mnop. ".repeat(10));
    List<Object> options = new ArrayList<>();
    options.addAll(List.of("train", "--corpus", tiny, "--recipe", "paper", "--layers", 1));
    options.addAll(List.of("--embedding-size", 16, "--boom-size", 32, "--memory-length", 32));
    options.addAll(List.of("--batch-size", 4, "--sequence-length", 64));
    List<Object> args = new ArrayList<>(options);
    args.addAll(List.of("--warm-up", 9, "--patience", 1, "--output", folder.resolve("both")));
    Outcome both = run(args.toArray());
    assertThat(both.err()).isEmpty();
    assertThat(both.out())
        .contains("paper: ", "32 epochs at rate 0.002, ", "32 epochs, patience 1 at rate 0.001, ")
        .contains("warm-up of 9 steps", "best of stage 1: step", "best of stage 2: step");
    args = new ArrayList<>(options);
    args.addAll(List.of("--cosine", "--learning-rate", 0.01, "--epochs", 1));
    args.addAll(List.of("--output", folder.resolve("one")));
    Outcome one = run(args.toArray());
    assertThat(one.out())
        .contains("1 epoch at rate 0.01, ", "cosine to 0 at the end", "best: step")
        .doesNotContain("stage 2", "rate 0.001");
  }

  @Test
  void lists_the_recipes() {
    assertThat(run("train", "--help").out())
        .contains("small               a small model")
        .contains("paper-four-heads    the same with a head in every layer");
  }

  @Test
  void trains_on_a_folder_with_a_file_for_each_part(@TempDir Path folder) throws IOException {
    for (String part : List.of("train", "valid", "test")) {
      Files.writeString(folder.resolve("ptb." + part + ".txt"), " abcd efgh \n".repeat(40));
    }
    Path words = Files.writeString(folder.resolve("mine.txt"), "<eos>\nabcd\n<unk>\n");
    List<Object> args = new ArrayList<>(List.of("train", "--corpus", folder, "--steps", 1));
    args.addAll(List.of("--embedding-size", 16, "--boom-size", 32, "--memory-length", 32));
    args.addAll(List.of("--batch-size", 4, "--output", folder.resolve("m"), "--vocabulary", words));
    Outcome trained = run(args.toArray());
    assertThat(trained.err()).isEmpty();
    assertThat(trained.out()).contains("as 3 words: 120, 120 and 120 tokens");
    assertThat(folder.resolve("m/vocabulary.txt")).hasSameBinaryContentAs(words);
  }

  @Test
  void trains_evaluates_and_generates_with_a_split_softmax(@TempDir Path folder) throws Exception {
    Path split = folder.resolve("split");
    assertThat(train("--output", split, "--steps", 5, "--splits", "101,110").code()).isZero();
    try (Model saved = SHARNN.load(split)) {
      assertThat(SHARNN.of(saved).config().splits()).containsExactly(101, 110);
    }
    assertThat(run("evaluate", split, "--corpus", corpus).code()).isZero();
    assertThat(run("generate", split, "--prompt", "abcd ", "--length", 9).code()).isZero();
    Outcome refused = train("--output", folder.resolve("no"), "--splits", "110,300");
    assertThat(refused.err()).contains("below vocabularySize (256), but 300 is not");
    assertThat(refused.code()).isEqualTo(2);
  }

  @Test
  void the_card_of_a_trained_model_shows_its_results(@TempDir Path folder) throws IOException {
    Path saved = folder.resolve("m");
    Outcome trained = train("--output", saved, "--steps", 4);
    String printed = trained.out();
    assertThat(Files.readString(saved.resolve("README.md")))
        .contains("| Training data | corpus.txt |")
        .contains(
            String.format(
                Locale.ROOT, "| Validation | %s bits per byte |", figure(printed, "valid")))
        .contains(
            String.format(Locale.ROOT, "| Test | %s bits per byte |", figure(printed, "test")))
        .containsSubsequence("model-index", "split: validation", "split: test", "# sharnn");
  }

  /** Returns the number before BPC in the last line that has a word before it. */
  private static String figure(String printed, String word) {
    Matcher matcher =
        Pattern.compile(
                String.format(Locale.ROOT, "(?m)^(?:best: step \\d+, )?%s ([\\d.]+) BPC", word))
            .matcher(printed);
    assertThat(matcher.find()).as(printed).isTrue();
    return matcher.group(1);
  }

  @Test
  void begins_with_the_best_weights_of_another_run_and_its_sizes(@TempDir Path folder)
      throws Exception {
    Path words = folder.resolve("words");
    assertThat(train("--output", words, "--steps", 3, "--vocabulary", "words").code()).isZero();
    Path next = folder.resolve("next");
    List<Object> from = List.of("train", "--corpus", corpus, "--from", words);
    List<Object> args = new ArrayList<>(from);
    args.addAll(List.of("--output", next, "--steps", 1, "--learning-rate", 1e-9));
    args.addAll(List.of("--batch-size", 4, "--sequence-length", 16, "--memory-length", 24));
    Outcome begun = run(args.toArray());
    assertThat(begun.err()).isEmpty();
    try (Model before = SHARNN.load(words);
        Model after = SHARNN.load(next)) {
      assertThat(SHARNN.of(after).config())
          .isEqualTo(SHARNN.of(before).config().toBuilder().memoryLength(24).config());
      assertThat(SHARNN.of(after).vocabulary().sha256())
          .isEqualTo(SHARNN.of(before).vocabulary().sha256());
      float[] old = weights(before);
      float[] now = weights(after);
      for (int i = 0; i < old.length; i++) {
        assertThat(now[i]).isCloseTo(old[i], within(1e-6f));
      }
    }
    for (String[] other : new String[][] {{"--splits", "3"}, {"--embedding-size", "32"}}) {
      args = new ArrayList<>(from);
      args.addAll(List.of("--output", folder.resolve("no"), "--steps", 1));
      args.addAll(List.of(other));
      Outcome refused = run(args.toArray());
      assertThat(refused.err())
          .contains("--from takes the sizes of the run in " + words)
          .contains(
              "leave out options that change them, such as --embedding-size, --layers or --splits")
          .hasLineCount(1);
      assertThat(refused.code()).isEqualTo(2);
      assertThat(folder.resolve("no")).doesNotExist();
    }
  }

  private static float[] weights(Model saved) {
    return saved.getBlock().getParameters().get(0).getValue().getArray().toFloatArray();
  }

  @Test
  void goes_on_with_a_run_that_had_another_tracker(@TempDir Path folder) throws IOException {
    SHARNN block =
        SHARNN.builder().embeddingSize(16).boomSize(32).layers(1).memoryLength(32).build();
    try (Model begun = block.newModel("begun", Device.cpu())) {
      SHARNNTrainer.builder(begun)
          .batchSize(4)
          .sequenceLength(16)
          .learningRate(Tracker.fixed(1e-3f))
          .checkpoints(CheckpointPolicy.in(folder))
          .build()
          .fit(Corpus.open(corpus), Budget.steps(2));
    }
    assertThat(Checkpoint.open(folder).stages().get(0).learningRate()).isNull();
    Outcome without = run("train", "--resume", folder, "--steps", 3, "--warm-up", 5);
    assertThat(without.err()).contains("--learning-rate must be given").hasLineCount(1);
    assertThat(without.code()).isEqualTo(2);
    Outcome with = run("train", "--resume", folder, "--steps", 3, "--learning-rate", 0.01);
    assertThat(with.err()).isEmpty();
    assertThat(with.out()).contains("step 3");
    assertThat(Checkpoint.open(folder).stages().get(0).learningRate())
        .isEqualTo(LearningRateSchedule.peak(0.01f));
  }
}
