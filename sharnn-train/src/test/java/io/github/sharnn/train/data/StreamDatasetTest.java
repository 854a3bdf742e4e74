package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.optimizer.Adam;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.softmax.ClusterLabels;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StreamDatasetTest {

  @TempDir Path folder;

  /** A pass over the data: each stream's data and labels, and each batch's length. */
  private record Pass(List<List<Long>> data, List<List<Long>> labels, List<Integer> lengths) {}

  private static Pass pass(StreamDataset dataset) {
    Pass pass = new Pass(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    try (NDManager manager = NDManager.newBaseManager()) {
      for (Batch batch : dataset.getData(manager)) {
        try (batch) {
          append(pass.data(), batch.getData().singletonOrThrow());
          append(pass.labels(), batch.getLabels().singletonOrThrow());
          pass.lengths().add((int) batch.getData().head().size(1));
        }
      }
    }
    return pass;
  }

  private static void append(List<List<Long>> streams, NDArray array) {
    assertThat(array.getDataType()).isEqualTo(DataType.INT64);
    long[] values = array.toLongArray();
    int length = (int) array.size(1);
    for (int stream = 0; stream < array.size(0); stream++) {
      if (streams.size() == stream) {
        streams.add(new ArrayList<>());
      }
      for (int t = 0; t < length; t++) {
        streams.get(stream).add(values[stream * length + t]);
      }
    }
  }

  private static List<Long> unsigned(byte[] bytes, int from, int to) {
    List<Long> values = new ArrayList<>();
    for (int i = from; i < to; i++) {
      values.add(bytes[i] & 0xFFL);
    }
    return values;
  }

  @Test
  void knows_where_labels_lie_without_reading_them_back() throws IOException {
    List<Integer> splits = List.of(10, 130, 255);
    Corpus.Part part = Tiny.part(folder, Tiny.randomBytes(200, 256));
    try (NDManager manager = NDManager.newBaseManager()) {
      for (Batch batch : StreamDataset.fixed(part, 3, 7).withSplits(splits).getData(manager)) {
        NDList expected = ClusterLabels.of(batch.getLabels().head(), splits);
        assertThat(batch.getLabels()).hasSameSizeAs(expected).hasSize(5);
        for (int i = 0; i < expected.size(); i++) {
          assertThat(batch.getLabels().get(i).toLongArray())
              .isEqualTo(expected.get(i).toLongArray());
          assertThat(batch.getLabels().get(i).getShape()).isEqualTo(expected.get(i).getShape());
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1000, 1, 32", "1000, 4, 32", "1003, 4, 7", "9, 8, 5", "1001, 10, 100"})
  void reads_contiguous_streams_and_predicts_each_byte_once(int length, int streams, int steps)
      throws IOException {
    byte[] bytes = Tiny.randomBytes(length, 256);
    Corpus.Part part = Tiny.part(folder, bytes);
    int streamLength = (length - 1) / streams;
    for (StreamDataset dataset :
        List.of(
            StreamDataset.random(part, streams, steps, 1),
            StreamDataset.fixed(part, streams, steps))) {
      Pass pass = pass(dataset);
      assertThat(dataset.streamLength()).isEqualTo(streamLength);
      assertThat(pass.data()).hasSize(streams);
      for (int b = 0; b < streams; b++) {
        int start = b * streamLength;
        assertThat(pass.data().get(b)).isEqualTo(unsigned(bytes, start, start + streamLength));
        assertThat(pass.labels().get(b))
            .isEqualTo(unsigned(bytes, start + 1, start + 1 + streamLength));
      }
    }
  }

  @Test
  void reports_its_progress() throws IOException {
    StreamDataset dataset = StreamDataset.fixed(Tiny.part(folder, new byte[22]), 2, 4);
    List<Long> progress = new ArrayList<>();
    try (NDManager manager = NDManager.newBaseManager()) {
      for (Batch batch : dataset.getData(manager)) {
        try (batch) {
          progress.add(batch.getProgress());
          assertThat(batch.getProgressTotal()).isEqualTo(10);
          assertThat(batch.getSize()).isEqualTo(2);
        }
      }
    }
    assertThat(progress).containsExactly(4L, 8L, 10L);
  }

  @Test
  void fixed_segments_all_have_the_given_length_but_the_last() throws IOException {
    Corpus.Part part = Tiny.part(folder, new byte[24]);
    assertThat(pass(StreamDataset.fixed(part, 1, 10)).lengths()).containsExactly(10, 10, 3);
    assertThat(pass(StreamDataset.fixed(part, 1, 2)).lengths()).hasSize(12).endsWith(2, 1);
  }

  @Test
  void draws_lengths_as_the_recipe_does() throws IOException {
    int longest = 100;
    Corpus.Part part = Tiny.part(folder, new byte[1_000_000]);
    List<Integer> lengths =
        new ArrayList<>(pass(StreamDataset.random(part, 1, longest, 3)).lengths());
    lengths.remove(lengths.size() - 1); // what was left
    assertThat(lengths).hasSizeGreaterThan(10_000).allSatisfy(l -> assertThat(l).isBetween(5, 100));

    // the two normal distributions, 10 deviations apart, do not mix
    double[] around50 = lengths.stream().filter(l -> l < 75).mapToDouble(l -> l).toArray();
    double[] around100 = lengths.stream().filter(l -> l >= 75).mapToDouble(l -> l).toArray();
    assertThat(around50.length / (double) lengths.size()).isCloseTo(0.05, within(0.009));
    // a drawn number is cut to an integer, so half a step less than the mean
    double mean = mean(around50);
    assertThat(mean).isCloseTo(49.5, within(0.9));
    assertThat(deviation(around50, mean)).isCloseTo(5, within(0.6));
    // half of the draws around the longest length exceed it; the others lie below as if mirrored
    long capped = lengths.stream().filter(l -> l == longest).count();
    assertThat(capped / (double) around100.length).isCloseTo(0.5, within(0.02));
    double[] below = lengths.stream().filter(l -> l >= 75 && l < 100).mapToDouble(l -> l).toArray();
    assertThat(deviation(below, 99.5)).isCloseTo(5, within(0.2));
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static double deviation(double[] values, double center) {
    double sum = 0;
    for (double value : values) {
      sum += (value - center) * (value - center);
    }
    return Math.sqrt(sum / values.length);
  }

  @Test
  void lengths_are_at_least_5_unless_sequence_length_is_less() throws IOException {
    Corpus.Part part = Tiny.part(folder, new byte[5_000]);
    List<Integer> lengths = pass(StreamDataset.random(part, 1, 8, 3)).lengths();
    assertThat(lengths.subList(0, lengths.size() - 1))
        .containsOnly(5, 6, 7, 8)
        .contains(5, 6, 7, 8);
    lengths = pass(StreamDataset.random(part, 1, 3, 3)).lengths();
    assertThat(lengths.subList(0, lengths.size() - 1)).containsOnly(3);
  }

  @Test
  void the_seed_decides_the_lengths_of_all_passes() throws IOException {
    Corpus.Part part = Tiny.part(folder, new byte[2_000]);
    StreamDataset one = StreamDataset.random(part, 2, 50, 7);
    StreamDataset two = StreamDataset.random(part, 2, 50, 7);
    StreamDataset other = StreamDataset.random(part, 2, 50, 8);
    List<Integer> first = pass(one).lengths();
    List<Integer> second = pass(one).lengths();
    assertThat(pass(two).lengths()).isEqualTo(first).isNotEqualTo(pass(other).lengths());
    assertThat(pass(two).lengths()).isEqualTo(second).isNotEqualTo(first);
  }

  @Test
  void refuses_numbers_below_1() throws IOException {
    Corpus.Part part = Tiny.part(folder, new byte[20]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StreamDataset.fixed(part, 0, 5))
        .withMessage("the number of streams must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StreamDataset.random(part, 1, 0, 1))
        .withMessage("sequenceLength must be at least 1, but is 0");
  }

  @Test
  void refuses_a_part_that_gives_no_byte_to_some_stream() throws IOException {
    Corpus.Part part = Tiny.part(folder, new byte[20]);
    assertThat(StreamDataset.fixed(part, 19, 5).streamLength()).isEqualTo(1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StreamDataset.fixed(part, 20, 5))
        .withMessageContaining("validation part")
        .withMessageContaining(
            "(20 bytes) is too short for 20 streams, which need 21 tokens, but it has 20: use fewer");
  }

  @Test
  void trains_in_the_stock_loop() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new SequenceCrossEntropy())
            .optOptimizer(Adam.builder().optLearningRateTracker(Tracker.fixed(2e-2f)).build());
    try (Model model = Tiny.sharnn().build().newModel("easy");
        Trainer trainer = model.newTrainer(config)) {
      trainer.initialize(new Shape(4, 16));
      double before = Tiny.evaluation(model, corpus.test(), 1, 16).bitsPerCharacter();
      EasyTrain.fit(
          trainer,
          2,
          StreamDataset.random(corpus.train(), 4, 16, 1),
          StreamDataset.fixed(corpus.validation(), 4, 16));
      double after = Tiny.evaluation(model, corpus.test(), 1, 16).bitsPerCharacter();
      assertThat(before).isGreaterThan(6.5);
      assertThat(after).isLessThan(4);
    }
  }
}
