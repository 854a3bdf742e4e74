package io.github.sharnn.engine;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.Test;

class OperatorsTest {

  @Test
  void stacks_scalars_in_their_order() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList scalars =
          new NDList(
              manager.create(3f),
              manager.create(Float.POSITIVE_INFINITY),
              manager.create(Float.NaN),
              manager.create(-0.5f));
      NDArray values = Operators.get().call("stack", scalars);
      assertThat(values.getShape()).isEqualTo(new Shape(4));
      assertThat(values.toFloatArray())
          .containsExactly(3, Float.POSITIVE_INFINITY, Float.NaN, -0.5f);
    }
  }
}
