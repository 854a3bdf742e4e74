package io.github.sharnn.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WeightAverageTest {

  @TempDir Path folder;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 4_000);
  }

  private static SHARNNTrainer.Builder trainer(Model model, double decay) {
    return Tiny.trainer(model).learningRate(LearningRateSchedule.peak(1e-2f)).averageDecay(decay);
  }

  /** Computes the average by its closed form, in double precision. */
  private static Map<String, double[]> average(List<Map<String, float[]>> weights, double decay) {
    Map<String, double[]> average = new LinkedHashMap<>();
    int t = weights.size();
    for (int s = 1; s <= t; s++) {
      double share = (1 - decay) * Math.pow(decay, t - s) / (1 - Math.pow(decay, t));
      weights
          .get(s - 1)
          .forEach(
              (name, values) -> {
                double[] sum = average.computeIfAbsent(name, n -> new double[values.length]);
                for (int i = 0; i < sum.length; i++) {
                  sum[i] += share * values[i];
                }
              });
    }
    return average;
  }

  @ParameterizedTest
  @CsvSource({
    "0.9, FLOAT32, lamb",
    "0.99, FLOAT32, lamb",
    "0.5, FLOAT32, lamb",
    "0.9, FLOAT16, lamb",
    "0.9, FLOAT32, adam"
  })
  void equals_its_closed_form_after_50_steps_and_is_what_is_evaluated_and_kept(
      double decay, DataType precision, String optimizer) {
    List<Map<String, float[]>> weights = new ArrayList<>();
    try (Model model = Tiny.model(Tiny.sharnn(), 2)) {
      SHARNNTrainer.Builder builder =
          (optimizer.equals("adam") // with a rate of its own
                  ? Tiny.trainer(model).optimizer(Optimizer.adam().build()).averageDecay(decay)
                  : trainer(model, decay))
              .precision(precision)
              .onStep(
                  report -> {
                    if (Double.isFinite(report.gradientNorm())) { // else no update
                      weights.add(Tiny.weights(model.getBlock()));
                    }
                  });
      FitResult result =
          builder.build().fit(corpus, Budget.steps(precision == DataType.FLOAT16 ? 52 : 50));
      assertThat(weights).hasSizeGreaterThanOrEqualTo(50);
      assertThat(result.evaluations()).hasSize(1);
      Map<String, double[]> expected = average(weights, decay);
      Tiny.weights(model.getBlock())
          .forEach(
              (name, values) -> {
                for (int i = 0; i < values.length; i++) {
                  assertThat((double) values[i])
                      .as(name)
                      .isCloseTo(expected.get(name)[i], within(2e-6));
                }
              });
      assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isCloseTo(
              result.best().validationBpc(), within(precision == DataType.FLOAT16 ? 0.01 : 1e-9));
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32", "FLOAT16"})
  void training_goes_on_as_it_would_without(DataType precision) {
    List<FitResult> results = new ArrayList<>();
    for (double decay : new double[] {0, 0.9}) {
      try (Model model = Tiny.model(Tiny.sharnn(), 2)) {
        results.add(
            trainer(model, decay)
                .precision(precision)
                .evaluationInterval(3)
                .build()
                .fit(corpus, Budget.steps(20)));
      }
    }
    assertThat(results.get(1).history())
        .extracting(StepReport::trainBpc)
        .isEqualTo(results.get(0).history().stream().map(StepReport::trainBpc).toList());
    assertThat(results.get(1).last().validationBpc())
        .isNotEqualTo(results.get(0).last().validationBpc());
  }

  @Test
  void a_validation_that_fails_leaves_the_weights_themselves() {
    try (Model model = Tiny.model(Tiny.sharnn(), 2)) {
      List<Map<String, float[]>> weights = new ArrayList<>();
      SHARNNTrainer trainer =
          trainer(model, 0.5)
              .evaluationInterval(4)
              .onStep(report -> weights.add(Tiny.weights(model.getBlock())))
              .listeners(
                  new TrainingListenerAdapter() {
                    @Override
                    public void onValidationBatch(Trainer trainer, BatchData batchData) {
                      throw new IllegalStateException("on purpose");
                    }
                  })
              .build();
      try {
        trainer.fit(corpus, Budget.steps(9));
      } catch (IllegalStateException e) {
        assertThat(e).hasMessage("on purpose");
      }
      assertThat(weights).hasSize(3);
      Map<String, float[]> after = Tiny.weights(model.getBlock());
      Map<String, float[]> expected = new LinkedHashMap<>();
      try (Model same = Tiny.model(Tiny.sharnn(), 2)) {
        trainer(same, 0)
            .onStep(report -> expected.putAll(Tiny.weights(same.getBlock())))
            .build()
            .fit(corpus, Budget.steps(4));
      }
      Tiny.assertSameWeights(after, expected);
    }
  }

  @Test
  void refuses_a_decay_outside_its_bounds() {
    try (Model model = Tiny.model(Tiny.sharnn(), 2)) {
      for (double decay : new double[] {-0.1, 1, Double.NaN}) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> trainer(model, decay).build())
            .withMessage("averageDecay must be at least 0 and below 1, but is " + decay);
      }
    }
  }
}
