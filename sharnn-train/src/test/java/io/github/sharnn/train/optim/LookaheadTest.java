package io.github.sharnn.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.NativeMemory;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class LookaheadTest {

  private static final int STEPS = 50;
  private static final float RATE = 0.05f;

  /** Fast and slow weights in double precision; the inner optimizer is written out too. */
  private static final class Scalar {
    private final double[] fast;
    private final double[] slow;
    private final double[] m;
    private final double[] v;
    private final String inner;
    private final int k;
    private final double alpha;
    private int t;

    Scalar(double[] start, String inner, int k, double alpha) {
      this.fast = start.clone();
      this.slow = start.clone();
      this.m = new double[start.length];
      this.v = new double[start.length];
      this.inner = inner;
      this.k = k;
      this.alpha = alpha;
    }

    void update(double[] g) {
      t++;
      double trust = inner.equals("lamb") ? lamb(g) : 1;
      for (int i = 0; i < fast.length; i++) {
        if (inner.equals("sgd")) {
          fast[i] -= RATE * g[i];
        } else if (inner.equals("lamb")) {
          fast[i] -= RATE * trust * m[i] / (Math.sqrt(v[i]) + 1e-6);
        } else {
          m[i] = 0.9 * m[i] + 0.1 * g[i];
          v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
          // epsilon as DJL has it, beside the moment before its correction
          double rate = RATE * Math.sqrt(1 - Math.pow(0.999, t)) / (1 - Math.pow(0.9, t));
          fast[i] -= rate * m[i] / (Math.sqrt(v[i]) + 1e-8);
        }
        if (t % k == 0) {
          slow[i] += alpha * (fast[i] - slow[i]);
          fast[i] = slow[i];
        }
      }
    }

    /** Lamb's moments, and what the norms of weights and step make of the rate. */
    private double lamb(double[] g) {
      double beta1 = 0.9f; // as its options are
      double beta2 = 0.999f;
      double weights = 0;
      double steps = 0;
      for (int i = 0; i < fast.length; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        weights += fast[i] * fast[i];
        steps += Math.pow(m[i] / (Math.sqrt(v[i]) + 1e-6), 2);
      }
      return Math.max(Math.min(Math.sqrt(weights), 10) / Math.sqrt(steps), 0.25);
    }
  }

  private static Optimizer inner(String name) {
    Tracker rate = Tracker.fixed(RATE);
    return switch (name) {
      case "sgd" -> Optimizer.sgd().setLearningRateTracker(rate).build();
      case "lamb" -> Lamb.builder().optLearningRateTracker(rate).optWeightDecays(0).build();
      default -> Optimizer.adam().optLearningRateTracker(rate).build();
    };
  }

  @ParameterizedTest
  @CsvSource({
    "sgd, 5, 0.5",
    "sgd, 6, 0.8",
    "adam, 5, 0.5",
    "adam, 6, 0.8",
    "adam, 1, 0.3",
    "lamb, 5, 0.5",
    "lamb, 7, 0.8"
  })
  void equals_a_computation_in_double_precision(String name, int k, float alpha) {
    Random random = new Random(3);
    double[] start = random.doubles(20, -1, 1).map(x -> (float) x).toArray();
    Scalar scalar = new Scalar(start, name, k, alpha);
    try (NDManager manager = NDManager.newBaseManager();
        Lookahead lookahead = Lookahead.around(inner(name), k, alpha)) {
      NDArray weight = manager.create(toFloats(start));
      weight.setRequiresGradient(true);
      for (int step = 1; step <= STEPS; step++) {
        double[] g = random.doubles(20, -1, 1).map(x -> (float) x).toArray();
        scalar.update(g);
        try (NDManager scratch = manager.newSubManager();
            GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
          // the loss sum(g * weight) has exactly these gradients
          collector.backward(scratch.create(toFloats(g)).mul(weight).sum());
        }
        try (NDArray gradient = weight.getGradient()) {
          lookahead.update("p", weight, gradient);
        }
        float[] actual = weight.toFloatArray();
        for (int i = 0; i < actual.length; i++) {
          assertThat((double) actual[i])
              .as("step %s", step)
              .isCloseTo(scalar.fast[i], within(2e-6));
        }
      }
    }
  }

  private static float[] toFloats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  private static SHARNNTrainer.Builder trainer(Model model) {
    return Tiny.trainer(model).learningRate(LearningRateSchedule.peak(1e-2f));
  }

  private static Map<String, float[]> difference(
      Map<String, float[]> from, Map<String, float[]> to, double share) {
    Map<String, float[]> result = new LinkedHashMap<>();
    from.forEach(
        (name, values) -> {
          float[] moved = values.clone();
          for (int i = 0; i < moved.length; i++) {
            moved[i] += (float) (share * (to.get(name)[i] - values[i]));
          }
          result.put(name, moved);
        });
    return result;
  }

  /** In a run, with Lamb over all parameters at once and with an optimizer that DJL drives. */
  @ParameterizedTest
  @CsvSource({"lamb", "adam"})
  void a_run_goes_a_part_of_the_way_after_k_steps(String optimizer, @TempDir Path folder)
      throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (Model plain = Tiny.model(Tiny.sharnn(), 1);
        Model ahead = Tiny.model(Tiny.sharnn(), 1)) {
      Map<String, float[]> start = Tiny.weights(plain.getBlock());
      boolean adam = optimizer.equals("adam"); // with a rate of its own
      SHARNNTrainer.Builder without =
          adam ? Tiny.trainer(plain).optimizer(inner("adam")) : trainer(plain);
      SHARNNTrainer.Builder with =
          (adam ? Tiny.trainer(ahead).optimizer(inner("adam")) : trainer(ahead))
              .lookahead(5, 0.75f);
      without.build().fit(corpus, Budget.steps(5));
      FitResult result = with.build().fit(corpus, Budget.steps(5));
      Map<String, float[]> expected = difference(start, Tiny.weights(plain.getBlock()), 0.75);
      Tiny.weights(ahead.getBlock())
          .forEach(
              (name, values) ->
                  assertThat(values).as(name).containsExactly(expected.get(name), within(1e-6f)));
      assertThat(Tiny.weights(plain.getBlock()).get(expected.keySet().iterator().next()))
          .isNotEqualTo(expected.values().iterator().next());
      assertThat(result.last().step()).isEqualTo(5);
    }
  }

  @ParameterizedTest
  @EnumSource
  void leaves_no_arrays_behind(OptimizerSettings.Type optimizer, @TempDir Path folder)
      throws Exception {
    Corpus corpus = Tiny.corpus(folder, 1_000);
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      SHARNNTrainer trainer =
          trainer(model)
              .optimizer(OptimizerSettings.of(optimizer))
              .lookahead(2, 0.5f)
              .averageDecay(0.9)
              .build();
      trainer.fit(corpus, Budget.steps(3));
      int before = NativeMemory.arrays();
      trainer.fit(corpus, Budget.steps(3));
      assertThat(NativeMemory.arrays()).isEqualTo(before);
    }
  }

  @Test
  void refuses_numbers_outside_their_bounds() {
    Optimizer adam = inner("adam");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lookahead.around(adam, 0, 0.5f))
        .withMessage("Lookahead's steps must be at least 1, but are 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lookahead.around(adam, 5, 0))
        .withMessage("Lookahead's alpha must be above 0 and at most 1, but is 0.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Lookahead.around(Lookahead.around(adam, 5, 1), 5, 0.5f))
        .withMessageContaining("give the inner one alone");
  }
}
