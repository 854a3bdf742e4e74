package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.optimizer.Optimizer;
import com.google.common.hash.Hashing;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNBuilder;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A run that goes on from a checkpoint does what it would have done. */
class ResumeTest {

  private static final List<Recipe.Stage> STAGES =
      List.of(
          new Recipe.Stage(LearningRateSchedule.peak(2e-2f).warmUp(8).cosine(), Budget.epochs(2)),
          new Recipe.Stage(
              LearningRateSchedule.peak(1e-2f).warmUp(3), Budget.epochs(9).patience(4)));

  @TempDir Path folder;
  private Path run;
  private Corpus corpus;
  private int[] splits = {};

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 1_000);
    run = folder.resolve("run");
  }

  private SHARNNBuilder sharnn() {
    return Tiny.sharnn().dropouts(0.2f).weightDrop(0.2f).memoryLength(24).splits(splits);
  }

  private static SHARNNTrainerBuilder trainer(Model model) {
    return SHARNNTrainer.builder(model)
        .batchSize(4)
        .accumulation(2)
        .sequenceLength(16)
        .evaluationInterval(5)
        .learningRate(LearningRateSchedule.peak(2e-2f).warmUp(8))
        .seed(7);
  }

  /** What must be the same to the last bit: every number that is no time. */
  private static String figures(StepReport report) {
    return "%d %d %s %s %s %s %s %s"
        .formatted(
            report.step(),
            report.bytes(),
            report.used(),
            report.trainBpc(),
            report.validationBpc(),
            report.gradientNorm(),
            report.learningRate(),
            report.lossScale());
  }

  /** All that a run reported, and the weights that it ended with. */
  private record Numbers(List<String> figures, Map<String, float[]> weights) {}

  private interface Run {
    void train(SHARNNTrainerBuilder trainer);
  }

  private Numbers straight(DataType precision, Run training) {
    List<String> figures = new ArrayList<>();
    try (Model model = sharnn().build().newModel("tiny")) {
      training.train(trainer(model).precision(precision).onStep(r -> figures.add(figures(r))));
      return new Numbers(figures, Tiny.weights(model.getBlock()));
    }
  }

  /** Stops after every so many steps and goes on with a new model, whose weights are others. */
  private Numbers interrupted(DataType precision, int every, Run training) {
    List<String> figures = new ArrayList<>();
    while (true) {
      int[] steps = {0};
      try (Model model = Tiny.model(sharnn(), figures.size())) {
        if (figures.isEmpty()) {
          model.setBlock(sharnn().build()); // the first one begins as an uninterrupted run does
        }
        training.train(
            trainer(model)
                .precision(precision)
                .checkpoints(CheckpointPolicy.in(run).every(Duration.ZERO).resume())
                .stopWhen(() -> ++steps[0] == every)
                .onStep(report -> figures.add(figures(report))));
        return new Numbers(figures, Tiny.weights(model.getBlock()));
      } catch (TrainingStoppedException e) {
        assertThat(e.checkpoint()).hasValueSatisfying(c -> assertThat(c).isDirectory());
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, false", "FLOAT16, false", "FLOAT32, true"})
  void goes_on_to_the_last_bit(DataType precision, boolean split) {
    splits = split ? new int[] {100, 110} : splits;
    Run training = builder -> builder.build().fit(corpus, Budget.epochs(2));
    Numbers expected = straight(precision, training);
    Numbers actual = interrupted(precision, 7, training);
    assertThat(expected.figures()).hasSizeGreaterThan(25);
    assertThat(actual.figures()).isEqualTo(expected.figures());
    Tiny.assertSameWeights(actual.weights(), expected.weights());
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16"})
  void goes_on_with_every_option_to_the_last_bit(DataType precision) {
    List<Recipe.Stage> stages =
        List.of(
            new Recipe.Stage(
                LearningRateSchedule.peak(0.1f).linear().plateau(0.7f, 2), Budget.steps(17)),
            new Recipe.Stage(
                LearningRateSchedule.peak(5e-2f).plateau(0.5f, 1), Budget.steps(10).patience(9)));
    Run training =
        builder ->
            Recipe.fit(
                builder
                    .evaluationInterval(2)
                    .lookahead(5, 0.5f)
                    .averageDecay(0.8)
                    .labelSmoothing(0.1f)
                    .zeroStateProbability(0.3),
                corpus,
                stages);
    Numbers expected = straight(precision, training);
    Numbers actual = interrupted(precision, 7, training);
    assertThat(expected.figures()).hasSize(27);
    assertThat(actual.figures()).isEqualTo(expected.figures());
    Tiny.assertSameWeights(actual.weights(), expected.weights());
  }

  @ParameterizedTest
  @CsvSource({"0, 24", "0.999999, 16"})
  void a_step_from_the_zero_state_remembers_its_own_positions_alone(
      double probability, long remembered) throws Exception {
    try (Model model = sharnn().build().newModel("tiny")) {
      trainer(model)
          .zeroStateProbability(probability)
          .checkpoints(CheckpointPolicy.in(run))
          .build()
          .fit(corpus, Budget.steps(5));
      Map<String, NDArray> state =
          Checkpoint.open(run).tensors(model.getNDManager(), Checkpoint.STATE);
      assertThat(state.keySet()).filteredOn(name -> name.endsWith(".memory")).isNotEmpty();
      state.forEach(
          (name, array) -> {
            if (name.endsWith(".memory")) {
              assertThat(array.size(0)).as(name).isLessThanOrEqualTo(remembered);
              assertThat(array.size(0)).as(name).isGreaterThan(remembered - 12);
            }
          });
    }
  }

  @Test
  void goes_on_from_a_checkpoint_from_before_there_were_these_options() throws Exception {
    Budget budget = Budget.steps(9);
    Numbers expected = straight(DataType.FLOAT32, b -> b.build().fit(corpus, budget));
    fit(CheckpointPolicy.in(run).everySteps(3), Budget.steps(6));
    Path newest = Checkpoint.open(run).folder();
    Path file = newest.resolve(Checkpoint.RECORD);
    String json = Files.readString(file);
    Set<String> added =
        Set.of(
            "labelSmoothing",
            "lookaheadSteps",
            "lookaheadAlpha",
            "averageDecay",
            "zeroStateProbability",
            "fall",
            "plateauFactor",
            "plateauPatience");
    JsonObject record = JsonParser.parseString(json).getAsJsonObject();
    JsonObject rate =
        record.getAsJsonArray("stages").get(0).getAsJsonObject().getAsJsonObject("learningRate");
    added.forEach(name -> record.getAsJsonObject("options").remove(name));
    added.forEach(rate::remove);
    record.remove("plateaus");
    String old = record.toString();
    assertThat(old).doesNotContain(added).doesNotContain("plateaus");
    String sums = Files.readString(newest.resolve(Checkpoint.SUMS));
    Files.writeString(newest.resolve(Checkpoint.SUMS), sums.replace(sha256(json), sha256(old)));
    Files.writeString(file, old);
    List<String> figures = new ArrayList<>();
    try (Model model = Tiny.model(sharnn(), 1)) {
      trainer(model)
          .checkpoints(CheckpointPolicy.in(run).resume())
          .onStep(report -> figures.add(figures(report)))
          .build()
          .fit(corpus, budget);
      Tiny.assertSameWeights(Tiny.weights(model.getBlock()), expected.weights());
    }
    assertThat(figures).hasSize(3);
  }

  private static String sha256(String text) {
    return Hashing.sha256().hashString(text, StandardCharsets.UTF_8).toString();
  }

  @Test
  void goes_on_in_the_stage_that_it_was_in() {
    List<List<FitResult>> results = new ArrayList<>();
    Run training = builder -> results.add(Recipe.fit(builder, corpus, STAGES));
    Numbers expected = straight(DataType.FLOAT32, training);
    Numbers actual = interrupted(DataType.FLOAT32, 13, training);
    assertThat(actual.figures()).isEqualTo(expected.figures());
    Tiny.assertSameWeights(actual.weights(), expected.weights());
    assertThat(results).hasSize(2);
    for (int stage = 0; stage < 2; stage++) {
      assertThat(results.get(1).get(stage).evaluations())
          .extracting(ResumeTest::figures)
          .isEqualTo(
              results.get(0).get(stage).evaluations().stream().map(ResumeTest::figures).toList());
    }
  }

  @Test
  void goes_on_in_a_second_stage_that_is_worse_than_the_first() throws Exception {
    List<Recipe.Stage> stages =
        List.of(
            new Recipe.Stage(LearningRateSchedule.peak(2e-2f), Budget.steps(20)),
            new Recipe.Stage(LearningRateSchedule.peak(1f), Budget.steps(10)));
    CheckpointPolicy policy = CheckpointPolicy.in(run).every(Duration.ZERO);
    int[] steps = {0};
    double best;
    try (Model model = sharnn().build().newModel("tiny")) {
      List<StepReport> reports = new ArrayList<>();
      SHARNNTrainerBuilder stopped =
          trainer(model).checkpoints(policy).onStep(reports::add).stopWhen(() -> ++steps[0] == 26);
      assertThatThrownBy(() -> Recipe.fit(stopped, corpus, stages))
          .isInstanceOf(TrainingStoppedException.class);
      best = new FitResult(reports).best().validationBpc();
    }
    Checkpoint newest = Checkpoint.open(run);
    assertThat(newest.stage()).isEqualTo(1);
    assertThat(newest.has(Checkpoint.EARLIER)).isTrue();
    try (Model model = sharnn().build().newModel("tiny")) { // without weights, as train --resume
      Recipe.fit(trainer(model).checkpoints(policy.resume()), corpus, stages);
      assertThat(Evaluation.of(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(best);
    }
  }

  private FitResult fit(CheckpointPolicy policy, Budget budget) {
    try (Model model = sharnn().build().newModel("tiny")) {
      return trainer(model).checkpoints(policy).build().fit(corpus, budget);
    }
  }

  @Test
  void keeps_the_last_and_the_best_and_trains_longer_where_the_budget_grows() throws Exception {
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(3).keep(2);
    FitResult first = fit(policy, Budget.steps(10));
    assertThat(first.last().step()).isEqualTo(10);
    assertThat(Checkpoint.list(run))
        .extracting(path -> path.getFileName().toString())
        .containsExactly("checkpoint-1-00000009", "checkpoint-1-00000010");
    FitResult more = fit(policy.resume(), Budget.steps(12));
    assertThat(more.history())
        .extracting(StepReport::step)
        .containsExactly(5L, 10L, 11L, 12L); // the evaluations, then what is new
    assertThat(Checkpoint.open(run).step()).isEqualTo(12);
    assertThat(Checkpoint.open(run).device()).isEqualTo("cpu");
    Checkpoint newest = Checkpoint.open(run);
    try (Model best = SHARNN.of(newest.config()).newModel("best")) {
      newest.readBest(best);
      assertThat(Evaluation.of(best, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(more.best().validationBpc());
    }
    assertThat(fit(policy.resume(), Budget.steps(12)).best()).isEqualTo(more.best());
  }

  @Test
  void refuses_to_go_on_with_what_contradicts_the_checkpoint() throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(3), Budget.steps(6));
    Path newest = Checkpoint.open(run).folder();
    byte[] before = Files.readAllBytes(newest.resolve(Checkpoint.RECORD));
    SHARNN other = sharnn().memoryLength(30).dropouts(0).build();
    try (Model model = other.newModel("tiny")) {
      Corpus shorter = Tiny.corpus(folder, 900);
      SHARNNTrainerBuilder builder =
          trainer(model)
              .batchSize(2)
              .evaluationInterval(3)
              .lookahead(5, 0.5f)
              .averageDecay(0.9)
              .checkpoints(CheckpointPolicy.in(run).resume());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> builder.build().fit(shorter, Budget.steps(9)))
          .withMessageContaining("can't go on from " + newest)
          .withMessageContaining("memoryLength was 24, is now 30")
          .withMessageContaining("batchSize was 4, is now 2")
          .withMessageContaining("lookaheadSteps was 0, is now 5")
          .withMessageContaining("averageDecay was 0.0, is now 0.9")
          .withMessageContaining("train was 900, is now 810")
          .withMessageContaining("sha256 was ")
          .satisfies(
              e -> assertThat(e.getMessage()).doesNotContain("Dropout", "evaluationInterval"));
    }
    assertThat(newest.resolve(Checkpoint.RECORD)).hasBinaryContent(before);
    try (Model model = sharnn().dropouts(0).build().newModel("tiny")) {
      FitResult changed =
          trainer(model)
              .evaluationInterval(2)
              .learningRate(LearningRateSchedule.peak(1e-3f))
              .checkpoints(CheckpointPolicy.in(run).resume())
              .build()
              .fit(corpus, Budget.steps(8));
      assertThat(changed.last().learningRate()).isEqualTo(1e-3f);
      assertThat(changed.last().evaluated()).isTrue();
    }
  }

  @Test
  void refuses_a_folder_with_checkpoints_of_another_run_or_in_use() throws Exception {
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(3);
    fit(policy, Budget.steps(2));
    try (FileChannel lock = FileChannel.open(run.resolve(".lock"), StandardOpenOption.WRITE)) {
      assertThat(lock.tryLock()).isNotNull();
      assertThatThrownBy(() -> fit(policy.resume(), Budget.steps(4)))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining("another run is using the folder " + run);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> fit(policy, Budget.steps(4)))
        .withMessageContaining(run + " has checkpoints of a run");
  }

  @Test
  void refuses_what_it_cannot_do() {
    try (Model model = sharnn().build().newModel("tiny")) {
      SHARNNTrainerBuilder builder =
          trainer(model).optimizer(Optimizer.adam().build()).checkpoints(CheckpointPolicy.in(run));
      assertThatIllegalArgumentException()
          .isThrownBy(builder::build)
          .withMessageContaining("checkpoints work with Lamb alone, but the optimizer is Adam");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointPolicy.in(run).keep(0))
        .withMessageContaining("at least 1, but are 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointPolicy.in(run).resumeFrom(Path.of("elsewhere/checkpoint")))
        .withMessageContaining("is not in the run's folder");
  }
}
