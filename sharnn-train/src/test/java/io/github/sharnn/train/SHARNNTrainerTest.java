package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.Batch;
import ai.djl.training.optimizer.Adam;
import ai.djl.training.optimizer.AdamW;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.step.SequenceCrossEntropy;
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

  private static SHARNNTrainer.Builder trainer(Model model) {
    return withoutRate(model).learningRate(Tracker.fixed(5e-2f));
  }

  private static SHARNNTrainer.Builder withoutRate(Model model) {
    return Tiny.trainer(model)
        .zeroStateProbability(0) // losses are compared step by step
        .seed(SEED);
  }

  private static double validationBpc(Model model, Corpus corpus) {
    return Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter();
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

  /** The numbers that two runs must share to the last bit. */
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
      FitResult result =
          withoutRate(model).optimizer(optimizer).build().fit(corpus, Budget.steps(80));
      assertThat(result.last().validationBpc())
          .isLessThan(result.history().get(0).trainBpc() - 2.5);
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
}
