package io.github.sharnn.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DropoutMaskTest {

  private NDManager manager;

  @BeforeEach
  void setUp() {
    manager = NDManager.newBaseManager(Device.cpu());
    manager.getEngine().setRandomSeed(42);
  }

  @AfterEach
  void tearDown() {
    manager.close();
  }

  @ParameterizedTest
  @ValueSource(floats = {0.05f, 0.1f, 0.5f, 0.65f, 0.9f})
  void drops_at_the_rate_and_scales_the_rest(float rate) {
    // 999,999 is no multiple of the four elements that a draw decides
    float[] dropped =
        DropoutMask.apply(manager.ones(new Shape(3, 333_333)), rate, true).toFloatArray();
    int zeros = 0;
    for (float element : dropped) {
      if (element == 0) {
        zeros++;
      } else {
        assertThat(element).isCloseTo(1 / (1 - rate), within(1e-5f));
      }
    }
    // five standard deviations of a binomial distribution
    double allowed = 5 * Math.sqrt(rate * (1 - rate) / dropped.length);
    assertThat(zeros / (double) dropped.length).isCloseTo(rate, within(allowed));
  }

  @Test
  void the_elements_of_one_draw_are_independent() {
    int draws = 250_000;
    NDArray dropped = DropoutMask.apply(manager.ones(new Shape(4, draws)), 0.1f, true);
    NDArray zero = dropped.eq(0).toType(DataType.FLOAT32, false);
    for (int first = 0; first < 4; first++) {
      for (int second = first + 1; second < 4; second++) {
        double both = zero.get(first).mul(zero.get(second)).mean().getFloat();
        assertThat(both).isCloseTo(0.01, within(5 * Math.sqrt(0.01 * 0.99 / draws)));
      }
    }
  }

  @Test
  void the_gradient_goes_through_the_same_mask() {
    NDArray x = manager.ones(new Shape(2, 5));
    x.setRequiresGradient(true);
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      NDArray dropped = DropoutMask.apply(x, 0.5f, true);
      collector.backward(dropped.sum());
      assertThat(x.getGradient().toFloatArray()).isEqualTo(dropped.toFloatArray());
    }
  }

  @Test
  void without_training_or_rate_it_is_the_array_itself() {
    NDArray x = manager.ones(new Shape(2));
    assertThat(DropoutMask.apply(x, 0.5f, false)).isSameAs(x);
    assertThat(DropoutMask.apply(x, 0, true)).isSameAs(x);
  }
}
