package io.github.sharnn.softmax;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.NDArrayAssert;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ClusterLabelsTest {

  private static final List<Integer> SPLITS = List.of(10, 25);

  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void tells_where_each_label_lies() {
    long[] values = {9, 10, 24, 25, 0, 39, 10, 9};
    NDArray labels = manager.create(values, new Shape(2, 4));
    NDList all = ClusterLabels.of(labels, values, SPLITS);
    assertThat(all.head()).isSameAs(labels);
    assertThat(all.get(1).getShape()).isEqualTo(labels.getShape());
    // the head has 10 words and 2 tombstones; the last tombstone is the first tail's
    assertThat(all.get(1).toLongArray()).containsExactly(9, 11, 11, 10, 0, 10, 11, 9);
    assertThat(all.get(2).toLongArray()).containsExactly(1, 2, 6, 3, 5);
    assertThat(all.get(3).toLongArray()).containsExactly(0, 14, 0, 0, 14);
    assertThat(all.get(4).getDevice()).isEqualTo(Device.cpu());
    assertThat(all.get(4).getShape()).isEqualTo(new Shape(2, 2));
    assertThat(all.get(4).toLongArray()).containsExactly(2, 1, 1, 1);
  }

  @Test
  void is_the_labels_alone_without_splits() {
    NDArray labels = manager.create(new long[] {1, 2}, new Shape(1, 2));
    assertThat(ClusterLabels.of(labels, List.of())).containsExactly(labels);
    assertThat(ClusterLabels.of(labels, new long[0], List.of())).containsExactly(labels);
    assertThat(ClusterLabels.streams(new NDList(labels), 0, 1)).hasSize(1);
  }

  @Test
  void a_slice_of_streams_is_a_batch_of_its_own() {
    Random random = new Random(1);
    for (int bound : new int[] {40, 40, 12, 10}) { // some or all tails of some slices are empty
      long[] values = random.longs(6 * 5, 0, bound).toArray();
      NDList all = ClusterLabels.of(manager.create(values, new Shape(6, 5)), values, SPLITS);
      for (int from = 0; from < 6; from += 2) {
        long[] own = Arrays.copyOfRange(values, from * 5, (from + 2) * 5);
        NDList expected = ClusterLabels.of(manager.create(own, new Shape(2, 5)), own, SPLITS);
        NDList actual = ClusterLabels.streams(all, from, from + 2);
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.size(); i++) {
          assertThat(actual.get(i).getDataType()).isEqualTo(expected.get(i).getDataType());
          NDArrayAssert.assertThat(actual.get(i)).isExactly(expected.get(i));
        }
      }
    }
  }
}
