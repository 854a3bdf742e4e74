package io.github.sharnn.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.GradientCollector;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GradientClippingTest {

  private NDManager manager;
  private Block block;

  @BeforeEach
  void create_block() {
    manager = NDManager.newBaseManager();
    block =
        new SequentialBlock()
            .add(Linear.builder().setUnits(7).build())
            .add(Activation::relu)
            .add(Linear.builder().setUnits(3).build());
    block.initialize(manager, DataType.FLOAT32, new Shape(1, 5));
    block.getParameters().values().forEach(p -> p.getArray().setRequiresGradient(true));
  }

  @AfterEach
  void close() {
    manager.close();
  }

  private void setGradients(Random random, double scale) {
    setGradients(parameter -> (float) (scale * random.nextGaussian()));
  }

  /** The loss {@code sum(values * parameters)} has exactly these gradients. */
  private void setGradients(ToDoubleFunction<Parameter> source) {
    try (NDManager scratch = manager.newSubManager();
        GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
      NDArray loss = scratch.zeros(new Shape());
      for (Parameter parameter : block.getParameters().values()) {
        NDArray array = parameter.getArray();
        float[] values = new float[(int) array.size()];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) source.applyAsDouble(parameter);
        }
        loss = loss.add(scratch.create(values, array.getShape()).mul(array).sum());
      }
      collector.backward(loss);
    }
  }

  private List<Float> gradients() {
    List<Float> all = new ArrayList<>();
    for (Parameter parameter : block.getParameters().values()) {
      for (float value : parameter.getArray().getGradient().toFloatArray()) {
        all.add(value);
      }
    }
    return all;
  }

  private static double norm(List<Float> values) {
    return Math.sqrt(dot(values, values));
  }

  private static double dot(List<Float> a, List<Float> b) {
    double sum = 0;
    for (int i = 0; i < a.size(); i++) {
      sum += (double) a.get(i) * b.get(i);
    }
    return sum;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
  void shortens_all_gradients_together_and_keeps_their_direction(int seed) {
    Random random = new Random(seed);
    setGradients(random, Math.pow(10, random.nextInt(7) - 1)); // norms from about 0.8
    List<Float> before = gradients();
    double maxNorm = norm(before) * (0.01 + 0.98 * random.nextDouble());
    double measured = GradientClipping.clip(block, maxNorm);
    List<Float> after = gradients();
    assertThat(measured).isCloseTo(norm(before), within(1e-6 * norm(before)));
    assertThat(norm(after)).isCloseTo(maxNorm, within(3e-6 * maxNorm + 1e-6));
    assertThat(norm(after)).isLessThanOrEqualTo(maxNorm * (1 + 1e-6));
    assertThat(dot(before, after) / norm(before) / norm(after)).isCloseTo(1, within(1e-12));
  }

  @ParameterizedTest
  @ValueSource(doubles = {1.001, 10, Double.POSITIVE_INFINITY})
  void leaves_gradients_below_the_limit_as_they_are(double factor) {
    setGradients(new Random(1), 1);
    List<Float> before = gradients();
    double measured = GradientClipping.clip(block, factor * norm(before));
    assertThat(measured).isCloseTo(norm(before), within(1e-5));
    assertThat(gradients()).isEqualTo(before);
  }

  @ParameterizedTest
  @CsvSource({"NaN", "Infinity", "-Infinity"})
  void changes_nothing_where_a_gradient_is_not_finite(float value) {
    Parameter bias = block.getParameters().valueAt(3);
    setGradients(parameter -> parameter == bias ? value : 1);
    List<Float> before = gradients();
    assertThat(Double.isFinite(GradientClipping.clip(block, 1e-3))).isFalse();
    assertThat(gradients()).isEqualTo(before);
  }

  @Test
  void leaves_gradients_of_0_at_0() {
    setGradients(parameter -> 0);
    assertThat(GradientClipping.clip(block, 0.25)).isZero();
    assertThat(gradients()).containsOnly(0f);
  }

  @Test
  void passes_over_frozen_parameters() {
    setGradients(new Random(1), 1);
    List<Float> all = gradients();
    block.getChildren().values().get(0).freezeParameters(true);
    int frozen = 5 * 7 + 7;
    List<Float> trained = all.subList(frozen, all.size());
    assertThat(GradientClipping.clip(block, 100)).isCloseTo(norm(trained), within(1e-5));
  }

  @Test
  void leaves_no_arrays_behind() {
    setGradients(new Random(1), 1);
    int before = manager.getManagedArrays().size();
    GradientClipping.clip(block, 0.25);
    assertThat(manager.getManagedArrays()).hasSize(before);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN})
  void refuses_a_limit_that_is_not_above_0(double maxNorm) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> GradientClipping.clip(block, maxNorm))
        .withMessage("maxNorm must be above 0, but is " + maxNorm);
  }
}
