package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionMemoryTest {

  /** Two streams of positions that are numbered from {@code first}. */
  private static NDArray positions(NDManager manager, int first, int count) {
    NDArray numbers = manager.arange(first, first + count).toType(DataType.FLOAT32, false);
    return numbers.reshape(1, count, 1).tile(new long[] {2, 1, 3});
  }

  @Test
  void starts_empty() {
    try (NDManager manager = NDManager.newBaseManager()) {
      AttentionMemory memory = AttentionMemory.empty(manager, 2, 3, DataType.FLOAT64);
      assertThat(memory.length()).isZero();
      assertThat(memory.positions().getShape()).isEqualTo(new Shape(2, 0, 3));
      assertThat(memory.positions().getDataType()).isEqualTo(DataType.FLOAT64);
    }
  }

  @Test
  void appends_after_the_oldest() {
    try (NDManager manager = NDManager.newBaseManager()) {
      AttentionMemory memory =
          AttentionMemory.empty(manager, 2, 3, DataType.FLOAT32)
              .append(positions(manager, 0, 4))
              .append(positions(manager, 4, 3));
      NDArrayAssert.assertThat(memory.positions()).isExactly(positions(manager, 0, 7));
      assertThat(memory.length()).isEqualTo(7);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4})
  void keeps_the_last(int count) {
    try (NDManager manager = NDManager.newBaseManager()) {
      AttentionMemory memory = new AttentionMemory(positions(manager, 0, 4));
      NDArrayAssert.assertThat(memory.last(count).positions())
          .isExactly(positions(manager, 4 - count, count));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, -100})
  void keeps_none_of_zero_or_less(int count) {
    try (NDManager manager = NDManager.newBaseManager()) {
      assertThat(new AttentionMemory(positions(manager, 0, 4)).last(count).positions().getShape())
          .isEqualTo(new Shape(2, 0, 3));
      assertThat(
              AttentionMemory.empty(manager, 2, 3, DataType.FLOAT32)
                  .last(count)
                  .positions()
                  .getShape())
          .isEqualTo(new Shape(2, 0, 3));
    }
  }

  @Test
  void keeps_all_where_there_are_no_more() {
    try (NDManager manager = NDManager.newBaseManager()) {
      AttentionMemory memory = new AttentionMemory(positions(manager, 0, 4));
      NDArrayAssert.assertThat(memory.last(9).positions()).isExactly(positions(manager, 0, 4));
    }
  }

  @Test
  void rejects_another_rank() {
    try (NDManager manager = NDManager.newBaseManager()) {
      assertThatThrownBy(() -> new AttentionMemory(manager.zeros(new Shape(2, 3))))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "memory must have the shape (batch, positions, embeddingSize), but has (2, 3)");
    }
  }
}
