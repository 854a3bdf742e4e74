package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** LAMB, AdamW and Muon take the same options of {@code fit}. */
class EveryOptimizerTest {

  private static final int STEPS = 4;

  /** The options that change the numbers of a run, by component of {@link TrainingOptions}. */
  private static final Map<String, Consumer<SHARNNTrainer.Builder>> CHANGES =
      Map.ofEntries(
          Map.entry("batchSize", builder -> builder.batchSize(2)),
          Map.entry("sequenceLength", builder -> builder.sequenceLength(8)),
          Map.entry("clipNorm", builder -> builder.clipNorm(1e-3)),
          Map.entry("seed", builder -> builder.seed(7)),
          Map.entry("evaluationInterval", builder -> builder.evaluationInterval(2)),
          Map.entry("evaluationStreams", builder -> builder.evaluationStreams(3)),
          Map.entry("labelSmoothing", builder -> builder.labelSmoothing(0.1f)),
          Map.entry("lookaheadSteps", builder -> builder.lookahead(2, 0.5f)),
          Map.entry("averageDecay", builder -> builder.averageDecay(0.9)),
          Map.entry("zeroStateProbability", builder -> builder.zeroStateProbability(0.9)),
          Map.entry("precision", builder -> builder.precision(DataType.FLOAT16)));

  /** The options that change no more than the rounding. */
  private static final Map<String, Consumer<SHARNNTrainer.Builder>> SAME =
      Map.of(
          "accumulation", builder -> builder.accumulation(2),
          "kernels", builder -> builder.kernels(Kernels.Use.OFF));

  @TempDir private Path folder;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 1_500);
  }

  private FitResult fit(OptimizerSettings.Type type, Consumer<SHARNNTrainer.Builder> option) {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      SHARNNTrainer.Builder builder =
          Tiny.trainer(model)
              .optimizer(OptimizerSettings.of(type))
              .learningRate(LearningRateSchedule.peak(1e-2f).warmUp(2).cosine());
      option.accept(builder);
      return builder.build().fit(corpus, Budget.steps(STEPS));
    }
  }

  private static List<Double> figures(FitResult result) {
    return result.history().stream()
        .flatMap(report -> Stream.of(report.trainBpc(), report.validationBpc()))
        .toList();
  }

  /** Fails for a new option, which then gets a line above. */
  @Test
  void knows_every_option() {
    assertThat(Stream.of(CHANGES, SAME).flatMap(map -> map.keySet().stream()))
        .as("the optimizer itself, and a component that is set together with another, are not here")
        .containsExactlyInAnyOrderElementsOf(
            Arrays.stream(TrainingOptions.class.getRecordComponents())
                .map(RecordComponent::getName)
                .filter(name -> !List.of("optimizer", "lookaheadAlpha").contains(name))
                .toList());
  }

  @ParameterizedTest
  @EnumSource
  void takes_every_option(OptimizerSettings.Type type) {
    FitResult plain = fit(type, builder -> {});
    CHANGES.forEach(
        (name, option) -> {
          FitResult changed = fit(type, option);
          assertThat(changed.isComplete()).as(name).isTrue();
          assertThat(figures(changed)).as(name).isNotEqualTo(figures(plain));
        });
    SAME.forEach(
        (name, option) ->
            assertThat(fit(type, option).last().trainBpc())
                .as(name)
                .isCloseTo(plain.last().trainBpc(), within(1e-3)));
  }

  @ParameterizedTest
  @EnumSource
  void takes_stages_patience_and_checkpoints(OptimizerSettings.Type type) throws Exception {
    Path run = folder.resolve("run");
    TrainingStage stage =
        new TrainingStage(LearningRateSchedule.peak(1e-2f), Budget.steps(STEPS).patience(1));
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      List<FitResult> results =
          Tiny.trainer(model)
              .optimizer(OptimizerSettings.of(type))
              .evaluationInterval(2)
              .checkpoints(CheckpointPolicy.in(run).everySteps(2))
              .build()
              .fit(corpus, List.of(stage, stage));
      assertThat(results).hasSize(2).allMatch(FitResult::isComplete);
    }
    assertThat(Checkpoint.open(run).options().optimizer().type()).isEqualTo(type);
  }
}
