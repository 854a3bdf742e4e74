package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.optimizer.Adam;
import ai.djl.training.optimizer.AdamW;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SHARNNTrainerTest {

  private static final int SEED = 5;
  private static final Tracker STILL = Tracker.fixed(0);

  @TempDir Path folder;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 3_000);
  }

  private static SHARNNTrainerBuilder trainer(Model model) {
    return SHARNNTrainer.builder(model)
        .batchSize(4)
        .sequenceLength(16)
        .learningRate(Tracker.fixed(5e-2f))
        .zeroStateProbability(0) // losses are compared step by step
        .seed(SEED);
  }

  private static double validationBpc(Model model, Corpus corpus) {
    return Evaluation.of(model, corpus.validation(), 4, 16).bitsPerCharacter();
  }

  @Test
  void learns() throws Exception {
    byte[] bytes = "attention ".repeat(300).getBytes(StandardCharsets.US_ASCII);
    Corpus repetitive = Corpus.open(Tiny.file(folder, bytes));
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result = trainer(model).build().fit(repetitive, Budget.steps(160));
      assertThat(result.history().get(0).trainBpc()).isGreaterThan(6.5);
      assertThat(result.last().trainBpc()).isLessThan(3);
      assertThat(validationBpc(model, repetitive)).isLessThan(3);
    }
  }

  /** What two runs must agree on to the last bit. */
  private record Numbers(List<Double> figures, Map<String, float[]> weights) {}

  private Numbers run(int seed) {
    try (Model model = Tiny.sharnn().dropouts(0.2f).weightDrop(0.2f).build().newModel("tiny")) {
      FitResult result =
          trainer(model).seed(seed).evaluationInterval(5).build().fit(corpus, Budget.steps(20));
      List<Double> figures = new ArrayList<>();
      for (StepReport report : result.history()) {
        figures.addAll(
            List.of(
                report.trainBpc(),
                report.validationBpc(),
                report.gradientNorm(),
                (double) report.bytes()));
      }
      return new Numbers(figures, Tiny.weights(model.getBlock()));
    }
  }

  @Test
  void one_seed_gives_one_result() {
    Numbers first = run(1);
    Numbers second = run(1);
    assertThat(second.figures()).isEqualTo(first.figures());
    Tiny.assertSameWeights(second.weights(), first.weights());
    assertThat(run(2).figures()).isNotEqualTo(first.figures());
  }

  @ParameterizedTest
  @CsvSource({"2, false", "4, false", "2, true", "4, true"})
  void accumulated_slices_make_the_step_of_the_whole_batch(int slices, boolean split) {
    int[] splits = split ? new int[] {100, 110, 120} : new int[0]; // none is beyond 120
    try (Model whole = Tiny.model(Tiny.sharnn().splits(splits), SEED);
        Model sliced = Tiny.model(Tiny.sharnn().splits(splits), SEED)) {
      Budget budget = Budget.steps(6);
      FitResult expected = trainer(whole).build().fit(corpus, budget);
      FitResult actual = trainer(sliced).accumulation(slices).build().fit(corpus, budget);
      for (int step = 0; step < 6; step++) {
        StepReport e = expected.history().get(step);
        StepReport a = actual.history().get(step);
        assertThat(a.trainBpc()).isCloseTo(e.trainBpc(), within(1e-5));
        assertThat(a.gradientNorm()).isCloseTo(e.gradientNorm(), within(1e-4 * e.gradientNorm()));
        assertThat(a.bytes()).isEqualTo(e.bytes());
      }
      Map<String, float[]> weights = Tiny.weights(whole.getBlock());
      Tiny.weights(sliced.getBlock())
          .forEach(
              (name, values) -> {
                for (int i = 0; i < values.length; i++) {
                  assertThat(values[i]).as(name).isCloseTo(weights.get(name)[i], within(1e-4f));
                }
              });
    }
  }

  @Test
  void carries_the_state_within_a_pass_and_restarts_with_the_next() {
    // segments of 5 have no random length; at a rate of 0 the weights stay
    try (Model model = Tiny.model(Tiny.sharnn(), SEED)) {
      FitResult result =
          trainer(model)
              .sequenceLength(5)
              .learningRate(STILL)
              .build()
              .fit(corpus, Budget.epochs(2));
      List<Double> carried = trainBpc(model, true);
      List<Double> restarted = trainBpc(model, false);
      int pass = carried.size();
      assertThat(result.history()).hasSize(2 * pass);
      for (int step = 0; step < 2 * pass; step++) {
        assertThat(result.history().get(step).trainBpc())
            .as("step %s", step)
            .isCloseTo(carried.get(step % pass), within(1e-5));
      }
      assertThat(carried.get(0)).isEqualTo(restarted.get(0));
      assertThat(carried.get(1)).isNotCloseTo(restarted.get(1), within(1e-3));
    }
  }

  private List<Double> trainBpc(Model model, boolean carry) {
    SHARNN block = SHARNN.of(model);
    List<Double> bpc = new ArrayList<>();
    try (NDManager manager = model.getNDManager().newSubManager()) {
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNNState state = block.zeroState(manager, 4);
      for (Batch batch : StreamDataset.fixed(corpus.train(), 4, 5).getData(manager)) {
        SHARNN.Output output = block.forward(parameterStore, batch.getData().head(), state, false);
        NDArray loss =
            new SequenceCrossEntropy().evaluate(batch.getLabels(), new NDList(output.logits()));
        bpc.add(loss.getFloat() / SequenceCrossEntropy.NATS_PER_BIT);
        if (carry) {
          state = output.state();
        }
      }
    }
    return bpc;
  }

  @Test
  void stops_after_the_given_epochs() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result = trainer(model).build().fit(corpus, Budget.epochs(2));
      long pass = (corpus.train().length() - 1) / 4 * 4;
      assertThat(result.last().bytes()).isEqualTo(2 * pass);
      assertThat(result.last().used()).isEqualTo(1);
      assertThat(result.evaluations())
          .extracting(StepReport::bytes)
          .as("after each pass")
          .containsExactly(pass, 2 * pass);
    }
  }

  @Test
  void stops_after_the_given_steps_and_evaluates_at_intervals_and_at_the_end() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result = trainer(model).evaluationInterval(3).build().fit(corpus, Budget.steps(8));
      assertThat(result.history())
          .extracting(StepReport::step)
          .containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L);
      assertThat(result.evaluations()).extracting(StepReport::step).containsExactly(3L, 6L, 8L);
    }
  }

  @Test
  void stops_after_the_given_time() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result = trainer(model).build().fit(corpus, Budget.time(Duration.ofMillis(300)));
      assertThat(result.last().seconds()).isBetween(0.3, 10.0);
      assertThat(result.last().used()).isEqualTo(1);
      assertThat(result.last().evaluated()).isTrue();
      assertThat(result.history().stream().filter(r -> r.used() >= 1)).hasSize(1);
    }
  }

  @Test
  void reports_each_step() {
    List<StepReport> reports = new ArrayList<>();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result =
          trainer(model)
              .sequenceLength(5)
              .onStep(reports::add)
              .build()
              .fit(corpus, Budget.steps(4));
      assertThat(reports).isEqualTo(result.history());
      assertThat(reports).extracting(StepReport::bytes).containsExactly(20L, 40L, 60L, 80L);
      assertThat(reports).extracting(StepReport::used).containsExactly(0.25, 0.5, 0.75, 1.0);
      assertThat(reports).extracting(StepReport::seconds).isSorted();
      assertThat(reports)
          .allSatisfy(
              r -> {
                assertThat(r.gradientNorm()).isPositive().isFinite();
                assertThat(r.bytesPerSecond()).isPositive().isFinite();
                assertThat(r.evaluated()).isEqualTo(r.step() == 4);
              });
    }
  }

  @Test
  void keeps_the_weights_that_validated_best() {
    // after 40 good steps the rate destroys what was learned
    Tracker destructive = step -> step <= 40 ? 5e-2f : 1f;
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result =
          trainer(model)
              .learningRate(destructive)
              .evaluationInterval(10)
              .build()
              .fit(corpus, Budget.steps(60));
      assertThat(result.best().step()).isLessThanOrEqualTo(40);
      assertThat(result.last().validationBpc()).isGreaterThan(result.best().validationBpc() + 0.1);
      assertThat(validationBpc(model, corpus)).isEqualTo(result.best().validationBpc());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"Adam", "AdamW", "Sgd"})
  void trains_with_stock_optimizers(String name) {
    Optimizer optimizer =
        switch (name) {
          case "Adam" -> Adam.builder().optLearningRateTracker(Tracker.fixed(1e-2f)).build();
          case "AdamW" -> AdamW.builder().optLearningRateTracker(Tracker.fixed(1e-2f)).build();
          default -> Optimizer.sgd().setLearningRateTracker(Tracker.fixed(2f)).build();
        };
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result = trainer(model).optimizer(optimizer).build().fit(corpus, Budget.steps(80));
      assertThat(result.last().validationBpc())
          .isLessThan(result.history().get(0).trainBpc() - 2.5);
    }
  }

  /** Writes down what DJL's trainer tells. */
  private static final class Recorder implements TrainingListener {

    private final List<String> events = new ArrayList<>();

    @Override
    public void onEpoch(Trainer trainer) {
      events.add("epoch");
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData batchData) {
      boolean stepped = GlobalNorm.clip(trainer.getModel().getBlock(), 1e9) == 0;
      events.add(stepped ? "late batch" : "batch");
      assertThat(batchData.getLabels()).hasSize(1);
      assertThat(batchData.getPredictions()).hasSize(1);
    }

    @Override
    public void onValidationBatch(Trainer trainer, BatchData batchData) {
      events.add("validation");
      assertThat(batchData.getLabels()).hasSize(1);
      assertThat(batchData.getPredictions()).hasSize(1);
    }

    @Override
    public void onTrainingBegin(Trainer trainer) {
      events.add("begin");
    }

    @Override
    public void onTrainingEnd(Trainer trainer) {
      events.add("end");
    }
  }

  @Test
  void tells_listeners_in_the_stock_order() throws Exception {
    // 160 bytes to train on: 4 streams of 39, so segments of 5 end with one of 4; 20 to validate
    Corpus small = Corpus.withSizes(Tiny.file(folder, Tiny.text(300)), 160, 21, 10);
    Recorder recorder = new Recorder();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      trainer(model)
          .sequenceLength(5)
          .listeners(recorder)
          .onStep(report -> recorder.events.add("step"))
          .build()
          .fit(small, Budget.epochs(1));
    }
    List<String> expected = new ArrayList<>(List.of("begin"));
    for (int batch = 0; batch < 8; batch++) {
      expected.add("batch");
      if (batch == 7) {
        expected.add("validation");
      }
      expected.add("step");
    }
    expected.addAll(List.of("epoch", "end"));
    assertThat(recorder.events).isEqualTo(expected);
  }

  @Test
  void tells_listeners_of_every_slice() {
    Recorder recorder = new Recorder();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      trainer(model).accumulation(2).listeners(recorder).build().fit(corpus, Budget.steps(3));
    }
    assertThat(recorder.events.stream().filter("batch"::equals)).hasSize(6);
  }

  @Test
  void feeds_stock_listeners_and_metrics() {
    Metrics metrics = new Metrics();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result =
          trainer(model)
              .listeners(TrainingListener.Defaults.logging())
              .metrics(metrics)
              .build()
              .fit(corpus, Budget.epochs(1));
      int steps = result.history().size();
      for (String name :
          List.of("forward", "backward", "step", "trainBpc", "gradientNorm", "bytesPerSecond")) {
        assertThat(metrics.getMetric(name)).as(name).hasSize(steps);
      }
      assertThat(metrics.getMetric("validationBpc")).hasSize(1);
      assertThat(metrics.latestMetric("validationBpc").getValue().doubleValue())
          .isEqualTo(result.last().validationBpc());
      String validateLoss =
          EvaluatorTrainingListener.metricName(
              new SequenceCrossEntropy(), EvaluatorTrainingListener.VALIDATE_EPOCH);
      assertThat(
              metrics.latestMetric(validateLoss).getValue().doubleValue()
                  / SequenceCrossEntropy.NATS_PER_BIT)
          .isCloseTo(result.last().validationBpc(), within(0.2)); // a mean over batches, not bytes
    }
  }

  @Test
  void stock_listeners_need_no_metrics() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result =
          trainer(model)
              .listeners(TrainingListener.Defaults.logging())
              .build()
              .fit(corpus, Budget.steps(2));
      assertThat(result.history()).hasSize(2);
    }
  }

  @Test
  void says_at_which_step_it_diverged() {
    try (Model model = Tiny.model(Tiny.sharnn(), SEED)) {
      model.getBlock().getParameters().valueAt(0).getArray().muli(Float.NaN);
      assertThatThrownBy(() -> trainer(model).build().fit(corpus, Budget.steps(5)))
          .isInstanceOf(TrainingDivergedException.class)
          .hasMessageContaining("training diverged at step 1")
          .hasMessageContaining("loss NaN")
          .hasMessageContaining("lower the learning rate or warm up longer");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 5})
  void an_absurd_learning_rate_diverges_even_in_the_last_step(long steps) {
    Optimizer absurd = Optimizer.sgd().setLearningRateTracker(Tracker.fixed(1e38f)).build();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      SHARNNTrainer trainer = trainer(model).optimizer(absurd).clipNorm(1e6).build();
      assertThatThrownBy(() -> trainer.fit(corpus, Budget.steps(steps)))
          .isInstanceOf(TrainingDivergedException.class)
          .hasMessageContaining("training diverged at step");
    }
  }

  @Test
  void a_run_that_diverged_leaves_nothing_to_the_next() {
    try (Model model = Tiny.model(Tiny.sharnn(), SEED);
        Model fresh = Tiny.model(Tiny.sharnn(), SEED)) {
      NDArray bias = model.getBlock().getParameters().get("outputBias").getArray();
      try (NDArray alias = bias.stopGradient()) {
        alias.addi(Float.NaN);
        assertThatThrownBy(() -> trainer(model).build().fit(corpus, Budget.steps(5)))
            .isInstanceOf(TrainingDivergedException.class);
        alias.set(new NDIndex("..."), 0f);
      }
      FitResult expected = trainer(fresh).build().fit(corpus, Budget.steps(3));
      FitResult actual = trainer(model).build().fit(corpus, Budget.steps(3));
      assertThat(actual.history())
          .extracting(StepReport::gradientNorm)
          .isEqualTo(expected.history().stream().map(StepReport::gradientNorm).toList());
    }
  }

  @Test
  void goes_on_with_a_loaded_model() throws Exception {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      trainer(model).build().fit(corpus, Budget.steps(60));
      model.save(folder.resolve("saved"), null);
      double saved = validationBpc(model, corpus);
      try (Model loaded = SHARNN.load(folder.resolve("saved"))) {
        FitResult result = trainer(loaded).build().fit(corpus, Budget.steps(60));
        assertThat(result.history().get(0).trainBpc()).isLessThan(5);
        assertThat(result.best().validationBpc()).isLessThan(saved - 0.05);
      }
    }
  }

  @Test
  void says_that_a_byte_is_outside_the_vocabulary() {
    try (Model model = Tiny.sharnn().vocabularySize(100).build().newModel("tiny")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).build().fit(corpus, Budget.steps(1)))
          .withMessageContaining("tokens must lie between 0 and vocabularySize - 1 (99)")
          .withMessageContaining("256 for bytes");
    }
  }

  @Test
  void says_that_a_part_is_too_short_for_the_streams() throws Exception {
    Corpus small = Corpus.withSizes(Tiny.file(folder, Tiny.text(100)), 90, 4, 4);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).build().fit(small, Budget.steps(1)))
          .withMessageContaining("validation part")
          .withMessageContaining("too short for 4 streams");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).batchSize(100).build().fit(small, Budget.steps(1)))
          .withMessageContaining("training part")
          .withMessageContaining("too short for 100 streams");
      assertThat(trainer(model).evaluationStreams(3).build().fit(small, Budget.steps(1)).history())
          .hasSize(1);
    }
  }

  @Test
  void refuses_options_outside_their_rules() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).batchSize(0).build())
          .withMessage("batchSize must be at least 1, but is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).sequenceLength(-1).build())
          .withMessage("sequenceLength must be at least 1, but is -1");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).accumulation(3).build())
          .withMessage("accumulation must be at least 1 and divide batchSize (4), but is 3");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).accumulation(0).build())
          .withMessageContaining("accumulation")
          .withMessageContaining("is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).clipNorm(Double.NaN).build())
          .withMessage("clipNorm must be above 0, but is NaN");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).evaluationInterval(-1).build())
          .withMessage("evaluationInterval must be at least 0, but is -1");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).evaluationStreams(0).build())
          .withMessage("evaluationStreams must be at least 1, but is 0");
    }
  }

  @Test
  void refuses_a_model_of_another_kind() {
    try (Model model = Model.newInstance("linear")) {
      model.setBlock(Linear.builder().setUnits(1).build());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> SHARNNTrainer.builder(model))
          .withMessageContaining("model linear must hold a SHARNN block");
    }
  }
}
