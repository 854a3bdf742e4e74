package io.github.sharnn.train.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SequenceCrossEntropyTest {

  @ParameterizedTest
  @CsvSource({"1, 1, 2, 1", "3, 4, 7, 1", "2, 5, 256, 30"})
  void is_the_mean_negative_log_likelihood_in_nats(
      int streams, int steps, int vocabulary, float scale) {
    Random random = new Random(streams);
    float[] logits = new float[streams * steps * vocabulary];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = scale * (float) random.nextGaussian();
    }
    long[] labels = random.longs((long) streams * steps, 0, vocabulary).toArray();
    double expected = 0;
    for (int position = 0; position < labels.length; position++) {
      double sum = 0;
      for (int token = 0; token < vocabulary; token++) {
        sum += Math.exp(logits[position * vocabulary + token]);
      }
      expected +=
          (Math.log(sum) - logits[position * vocabulary + (int) labels[position]]) / labels.length;
    }
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray predictions = manager.create(logits, new Shape(streams, steps, vocabulary));
      NDArray targets = manager.create(labels, new Shape(streams, steps));
      NDArray loss =
          new SequenceCrossEntropy().evaluate(new NDList(targets), new NDList(predictions));
      assertThat((double) loss.getFloat()).isCloseTo(expected, within(1e-6 * expected));
    }
  }

  @Test
  void is_the_mean_of_the_log_probabilities_that_a_model_with_splits_gives() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray own = manager.create(new float[] {-1, -2, -0.5f, -4, 0, -1.5f}, new Shape(2, 3));
      NDList labels = new NDList(manager.create(new long[6], new Shape(2, 3)));
      NDArray loss = new SequenceCrossEntropy().evaluate(labels, new NDList(own, own));
      assertThat(loss.getFloat()).isEqualTo(1.5f);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new SequenceCrossEntropy(0.1f).evaluate(labels, new NDList(own)))
          .withMessageContaining("labelSmoothing must be 0 for a model with splits");
    }
  }

  @Test
  void passes_over_the_state_after_the_logits() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray logits = manager.zeros(new Shape(2, 3, 4));
      NDArray state = manager.ones(new Shape(2, 8));
      NDList labels = new NDList(manager.create(new long[6], new Shape(2, 3)));
      NDArray loss = new SequenceCrossEntropy().evaluate(labels, new NDList(logits, state, state));
      assertThat((double) loss.getFloat()).isCloseTo(Math.log(4), within(1e-6));
    }
  }

  @Test
  void a_uniform_guess_over_bytes_costs_8_bits() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList labels = new NDList(manager.create(new long[6], new Shape(2, 3)));
      NDArray loss =
          new SequenceCrossEntropy()
              .evaluate(labels, new NDList(manager.zeros(new Shape(2, 3, 256))));
      assertThat(loss.getFloat() / SequenceCrossEntropy.NATS_PER_BIT).isCloseTo(8, within(1e-5));
    }
  }

  @ParameterizedTest
  @CsvSource({"0.1, FLOAT32", "0.4, FLOAT32", "0.1, FLOAT16"})
  void smoothed_it_is_the_cross_entropy_with_spread_targets(float share, DataType type) {
    Random random = new Random(5);
    int positions = 6;
    int vocabulary = 9;
    float[] logits = new float[positions * vocabulary];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = Math.round(16 * random.nextGaussian()) / 8f; // exact in FLOAT16
    }
    long[] labels = random.longs(positions, 0, vocabulary).toArray();
    double plain = 0;
    double smoothed = 0;
    double[] gradient = new double[logits.length];
    for (int p = 0; p < positions; p++) {
      double sum = 0;
      for (int v = 0; v < vocabulary; v++) {
        sum += Math.exp(logits[p * vocabulary + v]);
      }
      for (int v = 0; v < vocabulary; v++) {
        double logProbability = logits[p * vocabulary + v] - Math.log(sum);
        double target = share / vocabulary + (v == labels[p] ? 1 - share : 0);
        smoothed -= target * logProbability / positions;
        plain -= v == labels[p] ? logProbability / positions : 0;
        gradient[p * vocabulary + v] = (Math.exp(logProbability) - target) / positions;
      }
    }
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray predictions = manager.create(logits, new Shape(2, 3, vocabulary)).toType(type, true);
      predictions.setRequiresGradient(true);
      NDList targets = new NDList(manager.create(labels, new Shape(2, 3)));
      SequenceCrossEntropy loss = new SequenceCrossEntropy(share);
      SequenceCrossEntropy.Values values;
      try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
        values = loss.values(targets, new NDList(predictions));
        collector.backward(values.objective());
      }
      assertThat((double) values.objective().getFloat()).isCloseTo(smoothed, within(1e-6));
      assertThat((double) values.crossEntropy().getFloat()).isCloseTo(plain, within(1e-6));
      assertThat(loss.evaluate(targets, new NDList(predictions)).getFloat())
          .isEqualTo(values.objective().getFloat());
      float[] actual = predictions.getGradient().toType(DataType.FLOAT32, true).toFloatArray();
      for (int i = 0; i < actual.length; i++) {
        assertThat((double) actual[i])
            .isCloseTo(gradient[i], within(type == DataType.FLOAT16 ? 2e-4 : 1e-7));
      }
    }
  }

  @Test
  void figures_of_a_run_are_not_smoothed(@TempDir Path folder) throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    List<FitResult> results = new ArrayList<>();
    for (float share : new float[] {0, 0.5f}) {
      try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
        results.add(
            SHARNNTrainer.builder(model)
                .batchSize(4)
                .accumulation(2)
                .sequenceLength(16)
                .labelSmoothing(share)
                .learningRate(LearningRateSchedule.peak(1e-2f))
                .build()
                .fit(corpus, Budget.steps(2)));
        assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
            .isEqualTo(results.get(results.size() - 1).best().validationBpc());
      }
    }
    List<StepReport> plain = results.get(0).history();
    List<StepReport> smoothed = results.get(1).history();
    assertThat(smoothed.get(0).trainBpc()).isCloseTo(plain.get(0).trainBpc(), within(1e-6));
    assertThat(smoothed.get(0).gradientNorm())
        .isNotCloseTo(plain.get(0).gradientNorm(), within(1e-3));
    assertThat(smoothed.get(1).trainBpc()).isNotCloseTo(plain.get(1).trainBpc(), within(1e-4));
  }

  @ParameterizedTest
  @ValueSource(floats = {-0.1f, 1, Float.NaN})
  void refuses_a_share_outside_its_bounds(float share) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SequenceCrossEntropy(share))
        .withMessage("labelSmoothing must be at least 0 and below 1, but is " + share);
  }

  /** DJL's loss took these, and gave some number. */
  @ParameterizedTest
  @CsvSource({"3, 4, 5", "4, 4, 5", "2, 5, 0", "6, 0, 0"})
  void refuses_predictions_of_other_shapes(long first, long second, long third) {
    try (NDManager manager = NDManager.newBaseManager()) {
      long[] axes = LongStream.of(first, second, third).filter(size -> size > 0).toArray();
      NDList predictions = new NDList(manager.zeros(new Shape(axes)));
      NDList labels = new NDList(manager.zeros(new Shape(2, 4), DataType.INT64));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new SequenceCrossEntropy().evaluate(labels, predictions))
          .withMessageContaining("predictions must be logits (B, T, V) for labels (B, T)")
          .withMessageContaining("the shape " + new Shape(axes) + " for labels (2, 4)");
    }
  }
}
