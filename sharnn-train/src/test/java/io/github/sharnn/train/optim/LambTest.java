package io.github.sharnn.train.optim;

import static io.github.sharnn.train.optim.OptimizerUpdates.RATE;
import static io.github.sharnn.train.optim.OptimizerUpdates.backward;
import static io.github.sharnn.train.optim.OptimizerUpdates.lamb;
import static io.github.sharnn.train.optim.OptimizerUpdates.movementError;
import static io.github.sharnn.train.optim.OptimizerUpdates.parameter;
import static io.github.sharnn.train.optim.OptimizerUpdates.toDoubles;
import static io.github.sharnn.train.optim.OptimizerUpdates.update;
import static io.github.sharnn.train.optim.OptimizerUpdates.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LambTest {

  private static final int STEPS = 50;
  private static final float MIN_TRUST = 0.25f;

  /** The update of one parameter, one number at a time in double precision. */
  private static final class Scalar {
    private final double[] p;
    private final double[] m;
    private final double[] v;
    private final double weightDecay;
    private double trust;

    Scalar(double[] p, double weightDecay) {
      this.p = p.clone();
      this.m = new double[p.length];
      this.v = new double[p.length];
      this.weightDecay = weightDecay;
    }

    void update(double[] g) {
      double[] step = new double[p.length];
      double stepSquares = 0;
      double squares = 0;
      for (int i = 0; i < p.length; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
        step[i] = m[i] / (Math.sqrt(v[i]) + 1e-6) + weightDecay * p[i];
        stepSquares += step[i] * step[i];
        squares += p[i] * p[i];
      }
      double norm = Math.min(Math.sqrt(squares), 10);
      trust = norm == 0 || stepSquares == 0 ? 1 : norm / Math.sqrt(stepSquares);
      trust = Math.max(trust, MIN_TRUST);
      for (int i = 0; i < p.length; i++) {
        p[i] -= RATE * trust * step[i];
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "usual, 0.1, 0.01, 1.2e-6",
    "norm above 10, 5, 0.01, 1.2e-6",
    "strong decay, 1, 0.01, 0.5",
    "no decay, 1, 0.01, 0",
    "zero weights, 0, 0.01, 1.2e-6",
    "zero gradient, 1, 0, 1.2e-6",
    "zero gradient without decay, 1, 0, 0",
    "all zero, 0, 0, 1.2e-6",
    "gradients below epsilon, 0.1, 1e-9, 1.2e-6",
    "weights so small that the minimum trust holds, 1e-3, 0.01, 1.2e-6"
  })
  void equals_a_scalar_loop(String name, double scale, double gradientScale, float decay) {
    Random random = new Random(7);
    double[] start = values(i -> (float) (scale * random.nextGaussian()));
    Scalar scalar = new Scalar(start, decay);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray weight = parameter(manager, start, DataType.FLOAT32);
      Lamb lamb = lamb().optWeightDecays(decay).build();
      for (int step = 1; step <= STEPS; step++) {
        // a drift on top of the noise, so that the first moment is not noise alone
        double[] gradient =
            values(i -> (float) (gradientScale * (random.nextGaussian() + Math.sin(i))));
        scalar.update(gradient);
        update(lamb, "p", weight, gradient);
        assertThat(movementError(start, toDoubles(weight), scalar.p))
            .as("%s, step %s, trust %s", name, step, scalar.trust)
            .isLessThan(3e-5);
      }
    }
  }

  @Test
  void keeps_the_moments_of_parameters_apart() {
    double[] start = values(i -> 0.1f * (float) Math.cos(i));
    Scalar one = new Scalar(start, 0);
    Scalar two = new Scalar(start, 0);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray first = parameter(manager, start, DataType.FLOAT32);
      NDArray second = parameter(manager, start, DataType.FLOAT32);
      Lamb lamb = lamb().optWeightDecays(0).build();
      for (int step = 0; step < 5; step++) {
        double[] gradient = values(i -> (float) Math.sin(i));
        double[] other = values(i -> (float) Math.sin(3 * i));
        one.update(gradient);
        two.update(other);
        update(lamb, "one", first, gradient);
        update(lamb, "two", second, other);
      }
      assertThat(movementError(start, toDoubles(first), one.p)).isLessThan(3e-5);
      assertThat(movementError(start, toDoubles(second), two.p)).isLessThan(3e-5);
    }
  }

  @Test
  void computes_in_float32_for_float16_weights() {
    // in FLOAT16 the squares of these gradients, and a thousandth of them, would be 0
    double[] gradient = values(i -> 1e-4 * (1 + i % 3));
    double[] start = values(i -> 1 + i % 5);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray half = parameter(manager, start, DataType.FLOAT16);
      NDArray full = parameter(manager, start, DataType.FLOAT32);
      Lamb lamb = lamb().build();
      for (int step = 0; step < 20; step++) {
        update(lamb, "half", half, gradient);
        update(lamb, "full", full, gradient);
      }
      assertThat(half.getDataType()).isEqualTo(DataType.FLOAT16);
      // the rest is the rounding of the weights themselves
      assertThat(movementError(start, toDoubles(half), toDoubles(full))).isLessThan(0.05);
    }
  }

  @ParameterizedTest
  @CsvSource({"0.5", "Infinity", "NaN"})
  void zeroes_the_gradient_it_has_used(double value) {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray weight = parameter(manager, values(i -> 1), DataType.FLOAT32);
      update(lamb().build(), "p", weight, values(i -> value));
      assertThat(weight.getGradient().toFloatArray()).containsOnly(0f);
    }
  }

  @Test
  void rescales_the_gradient() {
    double[] start = values(i -> 1);
    double[] gradient = values(i -> 1e-6 * i); // near epsilon, where the scale counts
    double[] eighth = values(i -> 1e-6 * i / 8);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray rescaled = parameter(manager, start, DataType.FLOAT32);
      NDArray expected = parameter(manager, start, DataType.FLOAT32);
      update(lamb().setRescaleGrad(0.125f).build(), "p", rescaled, gradient);
      update(lamb().build(), "p", expected, eighth);
      assertThat(rescaled.toFloatArray()).isEqualTo(expected.toFloatArray());
    }
  }

  @Test
  void asks_the_tracker_for_the_rate_of_each_step() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray one = parameter(manager, values(i -> 1), DataType.FLOAT32);
      NDArray two = parameter(manager, values(i -> 1), DataType.FLOAT32);
      StringBuilder asked = new StringBuilder();
      Lamb lamb =
          Lamb.builder()
              .optLearningRateTracker(
                  (id, step) -> {
                    asked.append(id).append(step).append(' ');
                    return RATE;
                  })
              .build();
      for (int step = 0; step < 3; step++) {
        update(lamb, "a", one, values(i -> i));
        update(lamb, "b", two, values(i -> i));
      }
      assertThat(asked).hasToString("a1 b1 a2 b2 a3 b3 ");
    }
  }

  @Test
  void works_on_a_thread_that_did_not_load_the_engine() throws Exception {
    double[] start = values(i -> 0.1 * i);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray here = parameter(manager, start, DataType.FLOAT32);
      NDArray there = parameter(manager, start, DataType.FLOAT32);
      Lamb lamb = lamb().build();
      ExecutorService thread = Executors.newSingleThreadExecutor();
      try {
        for (int step = 0; step < 3; step++) {
          double[] gradient = values(i -> Math.sin(i));
          update(lamb, "here", here, gradient);
          backward(there, gradient);
          CompletableFuture.runAsync(() -> lamb.update("there", there, there.getGradient()), thread)
              .get();
        }
      } finally {
        thread.shutdown();
      }
      assertThat(there.toFloatArray()).isEqualTo(here.toFloatArray()).isNotEqualTo(start);
      assertThat(there.hasGradient()).isTrue();
    }
  }

  @Test
  void trains_in_the_stock_loop(@TempDir Path folder) throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new SequenceCrossEntropy())
            .optOptimizer(Lamb.builder().optLearningRateTracker(Tracker.fixed(5e-2f)).build());
    try (Model model = Tiny.sharnn().build().newModel("easy");
        Trainer trainer = model.newTrainer(config)) {
      trainer.initialize(new Shape(4, 16));
      double before = Tiny.evaluation(model, corpus.test(), 1, 16).bitsPerCharacter();
      EasyTrain.fit(trainer, 2, StreamDataset.random(corpus.train(), 4, 16, 1), null);
      double after = Tiny.evaluation(model, corpus.test(), 1, 16).bitsPerCharacter();
      assertThat(before).isGreaterThan(6.5);
      assertThat(after).isLessThan(4);
      assertThat(GradientClipping.clip(model.getBlock(), 1)).as("gradients left").isZero();
    }
  }

  @Test
  void stops_at_a_learning_rate_that_is_no_number() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray weight = parameter(manager, values(i -> 1), DataType.FLOAT32);
      Lamb lamb = Lamb.builder().optLearningRateTracker(Tracker.fixed(Float.NaN)).build();
      assertThatThrownBy(() -> update(lamb, "p", weight, values(i -> 1)))
          .isInstanceOf(TrainingDivergedException.class)
          .hasMessage("the learning rate is NaN");
      assertThat(weight.get(new NDIndex("0")).getFloat()).isEqualTo(1);
    }
  }

  @Test
  void refuses_options_outside_their_rules() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lamb.builder().optClipGrad(1).build())
        .withMessageContaining("optClipGrad must stay unset")
        .withMessageContaining("GradientClipping");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lamb.builder().optBeta1(1).build())
        .withMessage("beta1 must be in [0, 1), but is 1.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lamb.builder().optBeta2(-0.1f).build())
        .withMessage("beta2 must be in [0, 1), but is -0.1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lamb.builder().optEpsilon(0).build())
        .withMessage("epsilon must be above 0, but is 0.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lamb.builder().optMinTrust(Float.NaN).build())
        .withMessage("minTrust must be at least 0, but is NaN");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lamb.builder().optWeightDecays(-1e-6f).build())
        .withMessage("weightDecays must be at least 0, but is -1.0E-6");
  }
}
