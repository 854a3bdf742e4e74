package io.github.sharnn.train.optim;

import static io.github.sharnn.train.optim.OptimizerUpdates.RATE;
import static io.github.sharnn.train.optim.OptimizerUpdates.movementError;
import static io.github.sharnn.train.optim.OptimizerUpdates.parameter;
import static io.github.sharnn.train.optim.OptimizerUpdates.toDoubles;
import static io.github.sharnn.train.optim.OptimizerUpdates.update;
import static io.github.sharnn.train.optim.OptimizerUpdates.values;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.tracker.Tracker;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AdamWTest {

  private static final int STEPS = 50;

  /** The update of one parameter, one number at a time in double precision. */
  private static final class Scalar {
    private final double[] p;
    private final double[] m;
    private final double[] v;
    private final double decay;
    private final boolean cautious;
    private int t;

    Scalar(double[] p, double decay, boolean cautious) {
      this.p = p.clone();
      this.m = new double[p.length];
      this.v = new double[p.length];
      this.decay = decay;
      this.cautious = cautious;
    }

    void update(double[] g) {
      t++;
      for (int i = 0; i < p.length; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.99 * v[i] + 0.01 * g[i] * g[i];
        double mean = m[i] / (1 - Math.pow(0.9, t));
        double variance = v[i] / (1 - Math.pow(0.99, t));
        double step = mean / (Math.sqrt(variance) + 1e-8);
        double kept = cautious && step * p[i] <= 0 ? 0 : decay;
        p[i] -= RATE * (step + kept * p[i]);
      }
    }
  }

  private static AdamW.Builder adamW() {
    return AdamW.builder().optLearningRateTracker(Tracker.fixed(RATE));
  }

  private static NDArray matrix(NDManager manager, double[] values) {
    NDArray matrix =
        manager.create(values, new Shape(6, values.length / 6)).toType(DataType.FLOAT32, true);
    matrix.setRequiresGradient(true);
    return matrix;
  }

  @ParameterizedTest
  @CsvSource({
    "usual, 0.1, 0.01, 0.01, false",
    "strong decay, 1, 0.01, 0.5, false",
    "cautious decay, 1, 0.01, 0.5, true",
    "no decay, 1, 0.01, 0, false",
    "zero weights, 0, 0.01, 0.01, true",
    "zero gradient, 1, 0, 5, false",
    "gradients near epsilon, 0.1, 1e-8, 0.01, false"
  })
  void equals_a_scalar_loop(
      String name, double scale, double gradientScale, float decay, boolean cautious) {
    Random random = new Random(7);
    double[] start = values(i -> (float) (scale * random.nextGaussian()));
    Scalar scalar = new Scalar(start, decay, cautious);
    try (NDManager manager = NDManager.newBaseManager();
        AdamW optimizer = adamW().optWeightDecays(decay).optCautiousDecay(cautious).build()) {
      NDArray weight = matrix(manager, start);
      for (int step = 1; step <= STEPS; step++) {
        double[] gradient =
            values(i -> (float) (gradientScale * (random.nextGaussian() + Math.sin(i))));
        scalar.update(gradient);
        update(optimizer, "p", weight, gradient);
        assertThat(movementError(start, toDoubles(weight), scalar.p))
            .as("%s, step %s", name, step)
            .isLessThan(3e-5);
      }
    }
  }

  @Test
  void a_vector_does_not_decay_and_has_a_rate_of_its_own() {
    double[] start = values(i -> 1 + i % 3);
    double[] gradient = values(i -> Math.sin(i));
    try (NDManager manager = NDManager.newBaseManager();
        AdamW optimizer = adamW().optWeightDecays(0.5f).optRestRate(0.25f).build();
        AdamW plain =
            AdamW.builder()
                .optLearningRateTracker(Tracker.fixed(RATE / 4))
                .optWeightDecays(0)
                .build()) {
      NDArray vector = parameter(manager, start, DataType.FLOAT32);
      NDArray expected = parameter(manager, start, DataType.FLOAT32);
      update(optimizer, "v", vector, gradient);
      update(plain, "v", expected, gradient);
      assertThat(vector.toFloatArray()).isEqualTo(expected.toFloatArray());
    }
  }
}
