package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.TrainingStep;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** FLOAT16 forward and backward with FLOAT32 weights, on the CPU. */
class MixedPrecisionTest {

  @TempDir private Path folder;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 4000);
  }

  private static SHARNNTrainer.Builder trainer(Model model, DataType precision) {
    return Tiny.trainer(model).learningRate(LearningRateSchedule.peak(5e-3f)).precision(precision);
  }

  /** Does something at each batch, between backward and the update. */
  private static final class BetweenBackwardAndStep extends TrainingListenerAdapter {

    private final BiConsumer<Integer, Block> action;
    private int step;

    BetweenBackwardAndStep(BiConsumer<Integer, Block> action) {
      this.action = action;
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData batchData) {
      action.accept(++step, trainer.getModel().getBlock());
    }
  }

  private static Map<String, float[]> values(Block block, boolean gradients) {
    Map<String, float[]> values = new LinkedHashMap<>();
    block
        .getParameters()
        .forEach(
            pair -> {
              NDArray array = pair.getValue().getArray();
              try (NDArray source = gradients ? array.getGradient() : array.duplicate();
                  NDArray floats = source.toType(DataType.FLOAT32, true)) {
                values.put(pair.getKey(), floats.toFloatArray());
              }
            });
    return values;
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, FLOAT32", "FLOAT16, FLOAT16 with FLOAT32 weights"})
  void logs_once_what_it_computes_with(DataType precision, String logged) {
    PrintStream err = System.err;
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
    try (Model model = Tiny.sharnn().build().newModel("fresh", Device.cpu())) {
      trainer(model, precision).build().fit(corpus, Budget.steps(2));
    } finally {
      System.setErr(err);
    }
    assertThat(log.toString(StandardCharsets.UTF_8))
        .containsOnlyOnce(
            "INFO io.github.sharnn.train.SHARNNTrainer - device cpu, precision " + logged)
        .containsOnlyOnce("SHARNNTrainer - parameters ")
        .containsOnlyOnce("SHARNNTrainer - sharnn ");
  }

  /** Gradients of one batch, of the loss times a scale. */
  private Map<String, float[]> gradients(DataType precision, float scale, List<Integer> splits) {
    Shape tokens = new Shape(4, 16);
    int[] tails = splits.stream().mapToInt(Integer::intValue).toArray();
    try (Model model = Tiny.model(Tiny.sharnn().splits(tails), 3);
        MixedPrecisionWeights weights = MixedPrecisionWeights.of(model, precision, tokens);
        Trainer trainer =
            weights.model().newTrainer(new DefaultTrainingConfig(new SequenceCrossEntropy()))) {
      trainer.initialize(tokens);
      SHARNN block = SHARNN.of(weights.model());
      StreamDataset dataset = StreamDataset.fixed(corpus.train(), 4, 16).withSplits(splits);
      try (Batch batch = dataset.getData(trainer.getManager()).iterator().next()) {
        new TrainingStep(trainer).run(batch, block.zeroState(batch.getManager(), 4), scale);
        return values(block, true);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void every_parameter_gets_the_gradient_of_float32_times_the_loss_scale(boolean split) {
    List<Integer> splits = split ? List.of(100, 110) : List.of();
    Map<String, float[]> exact = gradients(DataType.FLOAT32, 1, splits);
    Map<String, float[]> half = gradients(DataType.FLOAT16, 1024, splits);
    assertThat(half.keySet()).isEqualTo(exact.keySet());
    exact.forEach(
        (name, gradient) -> {
          double dot = 0;
          double exactNorm = 0;
          double halfNorm = 0;
          for (int i = 0; i < gradient.length; i++) {
            dot += (double) gradient[i] * half.get(name)[i];
            exactNorm += (double) gradient[i] * gradient[i];
            halfNorm += (double) half.get(name)[i] * half.get(name)[i];
          }
          assertThat(dot / Math.sqrt(exactNorm * halfNorm)).as(name).isGreaterThan(0.999);
          assertThat(Math.sqrt(halfNorm / exactNorm) / 1024).as(name).isCloseTo(1, within(0.05));
        });
  }

  @Test
  void an_overflow_skips_one_step_and_leaves_weights_moments_and_state_untouched() {
    // a rate of 0.5 a step: moments or state that had changed would show in every later step
    FitResult undisturbed = fitWithOverflowAt(0, 8);
    FitResult skipped = fitWithOverflowAt(4, 8);
    assertThat(undisturbed.history().get(3).gradientNorm()).isFinite();
    assertThat(skipped.history().get(3).gradientNorm()).isNaN();
    assertThat(skippedSteps(skipped)).hasSize(skippedSteps(undisturbed).size() + 1);
    for (int step = 0; step < 4; step++) {
      assertThat(skipped.history().get(step).trainBpc())
          .isEqualTo(undisturbed.history().get(step).trainBpc());
    }
    assertThat(skipped.history().get(4).trainBpc())
        .as("weights of three steps, not of four")
        .isNotEqualTo(undisturbed.history().get(4).trainBpc());
  }

  private static List<StepReport> skippedSteps(FitResult result) {
    return result.history().stream().filter(r -> !Double.isFinite(r.gradientNorm())).toList();
  }

  @ParameterizedTest
  @EnumSource
  void a_skipped_step_changes_no_weight(OptimizerSettings.Type optimizer) {
    List<Map<String, float[]>> weights = new ArrayList<>();
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      Block masters = model.getBlock();
      trainer(model, DataType.FLOAT16)
          .optimizer(OptimizerSettings.of(optimizer))
          .listeners(
              new BetweenBackwardAndStep(
                  (step, working) -> {
                    weights.add(values(masters, false));
                    if (step == 4) {
                      poison(working);
                    }
                  }))
          .build()
          .fit(corpus, Budget.steps(6));
    }
    assertThat(same(weights.get(3), weights.get(2))).isFalse();
    assertThat(same(weights.get(4), weights.get(3))).as("after step 4").isTrue();
    assertThat(same(weights.get(5), weights.get(4))).isFalse();
  }

  @Test
  void a_run_that_is_stopped_before_its_first_update_goes_on() {
    CheckpointPolicy policy = CheckpointPolicy.in(folder.resolve("run"));
    FitResult stopped = fitWithFirstStepSkipped(policy, () -> true);
    assertThat(stopped.end()).isEqualTo(FitResult.End.STOPPED);
    assertThat(stopped.last().step()).isEqualTo(1);
    FitResult result = fitWithFirstStepSkipped(policy.resume(), () -> false);
    assertThat(result.last().step()).isEqualTo(4);
    assertThat(result.last().gradientNorm()).isFinite();
  }

  private FitResult fitWithFirstStepSkipped(CheckpointPolicy policy, BooleanSupplier stop) {
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      return trainer(model, DataType.FLOAT16)
          .lookahead(2, 0.5f)
          .checkpoints(policy)
          .stopWhen(stop)
          .listeners(
              new BetweenBackwardAndStep(
                  (step, working) -> {
                    if (stop.getAsBoolean()) {
                      poison(working);
                    }
                  }))
          .build()
          .fit(corpus, Budget.steps(4));
    }
  }

  private static boolean same(Map<String, float[]> some, Map<String, float[]> others) {
    return some.entrySet().stream()
        .allMatch(entry -> Arrays.equals(entry.getValue(), others.get(entry.getKey())));
  }

  private FitResult fitWithOverflowAt(int overflow, int steps) {
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      return trainer(model, DataType.FLOAT16)
          .learningRate(LearningRateSchedule.peak(0.05f))
          .listeners(
              new BetweenBackwardAndStep(
                  (step, working) -> {
                    if (step == overflow) {
                      poison(working);
                    }
                  }))
          .build()
          .fit(corpus, Budget.steps(steps));
    }
  }

  /** Makes one gradient infinite: adding to it later would keep it so. */
  private static void poison(Block working) {
    try (NDArray gradient = working.getParameters().get(0).getValue().getArray().getGradient()) {
      gradient.addi(Float.POSITIVE_INFINITY);
      gradient.subi(Float.POSITIVE_INFINITY);
    }
  }

  @ParameterizedTest
  @EnumSource
  void learns_as_float32_does_and_leaves_float32_weights(OptimizerSettings.Type optimizer) {
    double[] bpc = new double[2];
    DataType[] precisions = {DataType.FLOAT32, DataType.FLOAT16};
    for (int i = 0; i < 2; i++) {
      try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
        FitResult result =
            trainer(model, precisions[i])
                .optimizer(OptimizerSettings.of(optimizer))
                .build()
                .fit(corpus, Budget.steps(500));
        bpc[i] =
            result.history().subList(450, 500).stream()
                .mapToDouble(StepReport::trainBpc)
                .average()
                .orElseThrow();
        assertThat(model.getBlock().getParameters().values())
            .allSatisfy(p -> assertThat(p.getArray().getDataType()).isEqualTo(DataType.FLOAT32));
        assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
            .isCloseTo(result.best().validationBpc(), within(0.01));
      }
    }
    assertThat(bpc[0]).isLessThan(1);
    assertThat(bpc[1]).isCloseTo(bpc[0], within(0.03));
  }

  @ParameterizedTest
  @CsvSource({
    "FLOAT32, false, LAMB",
    "FLOAT16, false, LAMB",
    "FLOAT32, true, LAMB",
    "FLOAT16, true, LAMB",
    "FLOAT16, false, ADAMW",
    "FLOAT16, false, MUON"
  })
  void leaves_what_is_frozen_as_it_is(
      DataType precision, boolean loaded, OptimizerSettings.Type optimizer) throws Exception {
    Path saved = folder.resolve("saved");
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      model.save(saved, null);
    }
    try (Model model = loaded ? SHARNN.load(saved) : Tiny.model(Tiny.sharnn(), 3)) {
      Set<String> frozen = Set.of("embedding", "02block_02rnn_l_0_h2h_WEIGHT");
      Block block = model.getBlock();
      frozen.forEach(name -> block.getParameters().get(name).freeze(true));
      Map<String, float[]> before = Tiny.weights(block);
      trainer(model, precision)
          .optimizer(OptimizerSettings.of(optimizer))
          .averageDecay(0.5)
          .lookahead(2, 0.5f)
          .build()
          .fit(corpus, Budget.steps(3));
      Map<String, float[]> after = Tiny.weights(block);
      assertThat(after.keySet())
          .filteredOn(name -> Arrays.equals(after.get(name), before.get(name)))
          .containsExactlyInAnyOrderElementsOf(frozen);
      block.freezeParameters(true);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model, precision).build().fit(corpus, Budget.steps(3)))
          .withMessageContaining("must have a parameter that is not frozen");
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16"})
  void refuses_weights_that_are_not_float32(DataType precision) {
    try (Model model = Tiny.sharnn().build().newModel("half")) {
      model.setDataType(DataType.FLOAT16);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model, precision).build().fit(corpus, Budget.steps(3)))
          .withMessageContaining("must have FLOAT32 weights")
          .withMessageContaining("but has float16");
    }
  }

  @Test
  void refuses_what_it_cannot_do() {
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model, DataType.BFLOAT16).build())
          .withMessageContaining("precision must be FLOAT32 or FLOAT16, but is bfloat16")
          .withMessageContaining("has no BFLOAT16");
      assertThatIllegalArgumentException()
          .isThrownBy(
              () -> trainer(model, DataType.FLOAT16).optimizer(Optimizer.adamW().build()).build())
          .withMessageContaining(
              "FLOAT16 works only with Lamb, AdamW and Muon of this library, but the optimizer is"
                  + " ai.djl.training.optimizer.AdamW");
    }
  }
}
