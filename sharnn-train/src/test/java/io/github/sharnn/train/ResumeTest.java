package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import com.google.common.collect.Sets;
import com.google.common.hash.Hashing;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.checkpoint.CheckpointFolder;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A resumed run computes the same numbers as an uninterrupted run. */
class ResumeTest {

  private static final List<TrainingStage> STAGES =
      List.of(
          new TrainingStage(LearningRateSchedule.peak(2e-2f).warmUp(8).cosine(), Budget.epochs(2)),
          new TrainingStage(
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

  private SHARNNConfig.Builder sharnn() {
    return Tiny.sharnn().dropouts(0.2f).weightDrop(0.2f).memoryLength(24).splits(splits);
  }

  private static SHARNNTrainer.Builder trainer(Model model) {
    return Tiny.trainer(model)
        .accumulation(2)
        .evaluationInterval(5)
        .learningRate(LearningRateSchedule.peak(2e-2f).warmUp(8))
        .seed(7);
  }

  /** Formats the numbers that must be the same to the last bit: all except times. */
  private static String figures(StepReport report) {
    return String.format(
        Locale.ROOT,
        "%d %d %s %s %s %s %s %s",
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
    /** Trains, and returns the result of the last stage. */
    FitResult train(SHARNNTrainer.Builder trainer);
  }

  private static FitResult last(List<FitResult> stages) {
    return stages.get(stages.size() - 1);
  }

  private Numbers straight(DataType precision, Run training) {
    List<String> figures = new ArrayList<>();
    try (Model model = sharnn().build().newModel("tiny")) {
      training.train(trainer(model).precision(precision).onStep(r -> figures.add(figures(r))));
      return new Numbers(figures, Tiny.weights(model.getBlock()));
    }
  }

  /** Stops after every {@code every} steps and resumes with a new model of other weights. */
  private Numbers interrupted(DataType precision, int every, Run training) {
    List<String> figures = new ArrayList<>();
    while (true) {
      int[] steps = {0};
      try (Model model = Tiny.model(sharnn(), figures.size())) {
        if (figures.isEmpty()) {
          model.setBlock(sharnn().build()); // the first one begins as an uninterrupted run does
        }
        FitResult result =
            training.train(
                trainer(model)
                    .precision(precision)
                    .checkpoints(CheckpointPolicy.in(run).every(Duration.ZERO).resume())
                    .stopWhen(() -> ++steps[0] == every)
                    .onStep(report -> figures.add(figures(report))));
        if (result.isComplete()) {
          return new Numbers(figures, Tiny.weights(model.getBlock()));
        }
        assertThat(result.end()).isEqualTo(FitResult.End.STOPPED);
        assertThat(result.checkpoint()).isDirectory();
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
  @CsvSource({
    "FLOAT32, LAMB",
    "FLOAT16, LAMB",
    "FLOAT32, ADAMW",
    "FLOAT16, ADAMW",
    "FLOAT32, MUON",
    "FLOAT16, MUON"
  })
  void goes_on_with_every_option_to_the_last_bit(
      DataType precision, OptimizerSettings.Type optimizer) {
    OptimizerSettings settings = OptimizerSettings.of(optimizer);
    OptimizerSettings chosen =
        optimizer == OptimizerSettings.Type.LAMB
            ? settings
            : settings.cautiousDecay(true).embeddingRate(0.5f).restRate(0.75f);
    List<TrainingStage> stages =
        List.of(
            new TrainingStage(
                LearningRateSchedule.peak(0.1f).linear().hold(0.3f).plateau(0.7f, 2),
                Budget.steps(17)),
            new TrainingStage(
                LearningRateSchedule.peak(5e-2f).plateau(0.5f, 1), Budget.steps(10).patience(9)));
    Run training =
        builder ->
            last(
                builder
                    .evaluationInterval(2)
                    .optimizer(chosen)
                    .lookahead(5, 0.5f)
                    .averageDecay(0.8)
                    .labelSmoothing(0.1f)
                    .zeroStateProbability(0.3)
                    .build()
                    .fit(corpus, stages));
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
          Checkpoint.open(run).part(Checkpoint.STATE).tensors(model.getNDManager());
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
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(3);
    straight(DataType.FLOAT32, b -> b.checkpoints(policy).build().fit(corpus, Budget.steps(6)));
    Path newest = Checkpoint.open(run).folder();
    Path file = newest.resolve(CheckpointFolder.RECORD);
    String json = Files.readString(file);
    Set<String> added =
        Sets.newHashSet(
            "labelSmoothing",
            "lookaheadSteps",
            "lookaheadAlpha",
            "averageDecay",
            "zeroStateProbability",
            "optimizer",
            "fall",
            "holdUntil",
            "plateauFactor",
            "plateauPatience");
    JsonObject record = JsonParser.parseString(json).getAsJsonObject();
    JsonObject unchanging = record.getAsJsonObject("run");
    JsonObject rate =
        unchanging
            .getAsJsonArray("stages")
            .get(0)
            .getAsJsonObject()
            .getAsJsonObject("learningRate");
    added.forEach(name -> unchanging.getAsJsonObject("options").remove(name));
    added.forEach(rate::remove);
    record.getAsJsonObject("rate").remove("plateaus");
    String old = record.toString();
    added.remove("optimizer"); // the part with the number of updates has this name too
    assertThat(old).doesNotContain(added).doesNotContain("plateaus");
    String sums = Files.readString(newest.resolve(CheckpointFolder.SUMS));
    Files.writeString(
        newest.resolve(CheckpointFolder.SUMS), sums.replace(sha256(json), sha256(old)));
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

  @ParameterizedTest
  @CsvSource({"FLOAT32, FLOAT16, 65536", "FLOAT16, FLOAT32, 1"})
  void goes_on_in_another_precision_with_its_own_loss_scale(
      DataType before, DataType after, double lossScale) {
    List<Double> scales = new ArrayList<>();
    for (DataType precision : List.of(before, after)) {
      try (Model model = sharnn().build().newModel("tiny")) {
        trainer(model)
            .precision(precision)
            .checkpoints(CheckpointPolicy.in(run).every(Duration.ZERO).resume())
            .onStep(report -> scales.add(report.lossScale()))
            .build()
            .fit(corpus, Budget.steps(precision == before ? 2 : 3));
      }
    }
    assertThat(scales).hasSize(3).last().isEqualTo(lossScale);
  }

  @Test
  void goes_on_in_the_stage_that_it_was_in() {
    List<List<FitResult>> results = new ArrayList<>();
    Run training =
        builder -> {
          List<FitResult> all = builder.build().fit(corpus, STAGES);
          if (last(all).isComplete()) {
            results.add(all);
          }
          return last(all);
        };
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
    List<TrainingStage> stages =
        List.of(
            new TrainingStage(LearningRateSchedule.peak(2e-2f), Budget.steps(20)),
            new TrainingStage(LearningRateSchedule.peak(1f), Budget.steps(10)));
    CheckpointPolicy policy = CheckpointPolicy.in(run).every(Duration.ZERO);
    int[] steps = {0};
    double best;
    try (Model model = sharnn().build().newModel("tiny")) {
      List<StepReport> reports = new ArrayList<>();
      SHARNNTrainer.Builder stopped =
          trainer(model).checkpoints(policy).onStep(reports::add).stopWhen(() -> ++steps[0] == 26);
      List<FitResult> results = stopped.build().fit(corpus, stages);
      assertThat(results)
          .extracting(FitResult::end)
          .containsExactly(FitResult.End.BUDGET_USED, FitResult.End.STOPPED);
      best = FitResult.complete(reports, Budget.steps(10)).best().validationBpc();
    }
    Checkpoint newest = Checkpoint.open(run);
    assertThat(newest.stage()).isEqualTo(1);
    assertThat(newest.has(Checkpoint.EARLIER)).isTrue();
    try (Model model = sharnn().build().newModel("tiny")) {
      SHARNNTrainer oneStage = trainer(model).checkpoints(policy.resume()).build();
      assertThatThrownBy(() -> oneStage.fit(corpus, Budget.steps(10)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("stages: the checkpoint is in stage 2, but this run has only 1");
    }
    try (Model model = sharnn().build().newModel("tiny")) { // without weights, as train --resume
      trainer(model).checkpoints(policy.resume()).build().fit(corpus, stages);
      assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(best);
    }
  }
}
