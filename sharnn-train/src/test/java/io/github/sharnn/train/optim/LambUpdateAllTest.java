package io.github.sharnn.train.optim;

import static io.github.sharnn.train.optim.OptimizerUpdates.RATE;
import static io.github.sharnn.train.optim.OptimizerUpdates.backward;
import static io.github.sharnn.train.optim.OptimizerUpdates.lamb;
import static io.github.sharnn.train.optim.OptimizerUpdates.movementError;
import static io.github.sharnn.train.optim.OptimizerUpdates.parameter;
import static io.github.sharnn.train.optim.OptimizerUpdates.toDoubles;
import static io.github.sharnn.train.optim.OptimizerUpdates.update;
import static io.github.sharnn.train.optim.OptimizerUpdates.updateAll;
import static io.github.sharnn.train.optim.OptimizerUpdates.values;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The update of all parameters in one call, as the trainer makes it. */
class LambUpdateAllTest {

  @ParameterizedTest
  @CsvSource({"8, 0.25", "1e-6, 0.25", "8, 1e9", "8, Infinity", "0, 0.25"})
  void clips_by_the_norm_that_it_is_given(float norm, double clipNorm) {
    double[] start = values(i -> 1);
    double[] gradient = values(i -> 1e-6 * i); // near epsilon, where the scale counts
    double factor = 0.5 * GradientClipping.scale(0.5 * norm, clipNorm);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray clipped = parameter(manager, start, DataType.FLOAT32);
      NDArray expected = parameter(manager, start, DataType.FLOAT32);
      updateAll(lamb().build(), clipped, gradient, 0.5, clipNorm, norm, 1);
      update(lamb().build(), "p", expected, values(i -> factor * gradient[i]));
      assertThat(movementError(start, toDoubles(clipped), toDoubles(expected))).isLessThan(1e-4);
    }
  }

  @ParameterizedTest
  @CsvSource({"NaN, 1, 1", "Infinity, 1, 1", "1, NaN, 1", "1, 1, Infinity", "1, 1, -Infinity"})
  void leaves_all_but_the_gradient_as_it_is_where_norm_or_a_loss_is_not_finite(
      float norm, float loss, float otherLoss) {
    double[] start = values(i -> 0.1 * i);
    StringBuilder asked = new StringBuilder();
    Lamb.Builder tracked =
        Lamb.builder()
            .optLearningRateTracker(
                (id, step) -> {
                  asked.append(step).append(' ');
                  boolean skipped = asked.toString().equals("1 2 ");
                  return skipped ? Float.MAX_VALUE : RATE; // times the trust it is infinite
                });
    try (NDManager manager = NDManager.newBaseManager();
        Lamb lamb = tracked.build();
        Lamb other = lamb().build()) {
      NDArray weight = parameter(manager, start, DataType.FLOAT32);
      NDArray expected = parameter(manager, start, DataType.FLOAT32);
      updateAll(lamb, weight, values(i -> Math.sin(i)), 1, 0.25, 1, 1, 1);
      double[] before = toDoubles(weight);
      double[] mean = toDoubles(lamb.moments().get("mean.p"));
      double[] variance = toDoubles(lamb.moments().get("variance.p"));
      double bad = Float.isFinite(norm) ? 1 : norm;
      updateAll(lamb, weight, values(i -> bad), 1, 0.25, norm, loss, otherLoss);
      lamb.skipped();
      assertThat(toDoubles(weight)).isEqualTo(before);
      assertThat(toDoubles(lamb.moments().get("mean.p"))).isEqualTo(mean);
      assertThat(toDoubles(lamb.moments().get("variance.p"))).isEqualTo(variance);
      assertThat(weight.getGradient().toFloatArray()).containsOnly(0f);
      assertThat(lamb.updates()).isEqualTo(1);

      updateAll(lamb, weight, values(i -> Math.cos(i)), 1, 0.25, 1, 1, 1);
      updateAll(other, expected, values(i -> Math.sin(i)), 1, 0.25, 1, 1, 1);
      updateAll(other, expected, values(i -> Math.cos(i)), 1, 0.25, 1, 1, 1);
      assertThat(toDoubles(weight)).isEqualTo(toDoubles(expected)).isNotEqualTo(before);
      assertThat(asked).hasToString("1 2 2 ");
    }
  }

  @Test
  void asks_the_tracker_once_for_all_parameters_of_a_step() {
    StringBuilder asked = new StringBuilder();
    Lamb.Builder tracked =
        Lamb.builder()
            .optLearningRateTracker(
                (id, step) -> {
                  asked.append(id).append(step).append(' ');
                  return id.equals("b") ? RATE : 1;
                });
    double[] start = values(i -> 0.1 * i);
    double[] gradient = values(i -> Math.sin(i));
    try (NDManager manager = NDManager.newBaseManager();
        Lamb lamb = tracked.build();
        Lamb other = lamb().build()) {
      NDArray one = parameter(manager, start, DataType.FLOAT32);
      NDArray two = parameter(manager, start, DataType.FLOAT32);
      NDArray expected = parameter(manager, start, DataType.FLOAT32);
      for (int step = 0; step < 3; step++) {
        backward(one, gradient);
        backward(two, gradient);
        lamb.updateAll(
            List.of("a", "b"),
            new NDList(one.stopGradient(), two.stopGradient()),
            new NDList(one.getGradient(), two.getGradient()),
            1,
            new NDList(manager.zeros(new Shape())),
            Double.POSITIVE_INFINITY);
        update(other, "p", expected, gradient);
      }
      assertThat(asked).hasToString("b1 b2 b3 ");
      assertThat(one.toFloatArray()).isEqualTo(expected.toFloatArray());
      assertThat(two.toFloatArray()).isEqualTo(expected.toFloatArray());
    }
  }
}
