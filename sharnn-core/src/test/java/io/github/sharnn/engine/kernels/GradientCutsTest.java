package io.github.sharnn.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GradientCutsTest {

  private NDManager manager;
  private NDArray w;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager();
    w = manager.create(new float[] {1, 2, 3});
    w.setRequiresGradient(true);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  /** Squares outside of PyTorch's graph, as a kernel would. */
  private static NDArray square(GradientCuts cuts, NDArray x) {
    NDArray value = x.stopGradient();
    NDArray result = value.square();
    result.attach(x.getManager());
    x.attach(cuts.manager());
    return cuts.cut(
            List.of(x),
            new NDList(result),
            gradients -> new NDList(gradients.head().mul(value).mul(twice(gradients.head()))))
        .singletonOrThrow();
  }

  private static NDArray twice(NDArray array) {
    return array.getManager().create(2f);
  }

  @Test
  void gradients_cross_two_cuts() {
    try (GradientCuts cuts = GradientCuts.open(manager);
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDArray y = square(cuts, w.mul(w)); // w^4
      NDArray loss = square(cuts, y.add(y)).sum(); // 4 w^8
      collector.backward(loss);
      assertThat(w.getGradient().toFloatArray()).as("before the cuts").containsExactly(0, 0, 0);
      cuts.backward();
    }
    assertThat(w.getGradient().toFloatArray()).containsExactly(32, 32 * 128, 32 * 2187);
  }

  @Test
  void a_weight_that_the_kernel_reads_gets_its_gradient() {
    try (GradientCuts cuts = GradientCuts.open(manager);
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDArray value = w.stopGradient();
      NDList y =
          cuts.cut(
              List.of(w),
              new NDList(value.square()),
              g -> new NDList(g.head().mul(value).mul(twice(value))));
      collector.backward(y.singletonOrThrow().sum()); // w^2
      cuts.backward();
    }
    assertThat(w.getGradient().toFloatArray()).containsExactly(2, 4, 6);
    assertThat(w.getManager()).as("stays open").isSameAs(manager);
  }

  @Test
  void the_gradients_of_all_results_reach_backward_together() {
    try (GradientCuts cuts = GradientCuts.open(manager);
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      // PyTorch frees what the exponential's backward needs after its first use
      NDArray h = w.exp();
      NDArray value = h.stopGradient();
      h.attach(cuts.manager());
      NDList both =
          cuts.cut(
              List.of(h),
              new NDList(value.square(), value.mul(twice(value))),
              g ->
                  new NDList(g.get(0).mul(value).add(g.get(1)).mul(twice(value)))); // 2 h g0 + 2 g1
      NDArray loss = square(cuts, both.get(0).mul(both.get(0))).add(both.get(1)).sum();
      collector.backward(loss); // h^8 + 2 h
      cuts.backward();
    }
    float[] expected = new float[3];
    for (int i = 0; i < 3; i++) {
      expected[i] = (float) (8 * Math.exp(8 * (i + 1)) + 2 * Math.exp(i + 1));
    }
    assertThat(w.getGradient().toFloatArray())
        .usingComparatorWithPrecision(expected[2] * 1e-6f)
        .containsExactly(expected);
  }

  @Test
  void cuts_are_those_of_the_innermost_open_ones() {
    assertThat(GradientCuts.current()).isNull();
    try (GradientCuts outer = GradientCuts.open(manager)) {
      try (GradientCuts inner = GradientCuts.open(manager)) {
        assertThat(GradientCuts.current()).isSameAs(inner);
      }
      assertThat(GradientCuts.current()).isSameAs(outer);
    }
    assertThat(GradientCuts.current()).isNull();
  }
}
