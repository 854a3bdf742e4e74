package io.github.sharnn.train.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.train.NativeMemory;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EvaluationTest {

  private static final int SEED = 3;

  @TempDir Path folder;

  private static SHARNNConfig.Builder withMemoryFor(int positions) {
    return Tiny.sharnn().memoryLength(positions);
  }

  /** Sum of -log2 p(byte) over bytes {@code from + 1} to {@code to}, fed one by one. */
  private static double naiveBits(Model model, byte[] bytes, int from, int to) {
    SHARNN block = SHARNN.of(model);
    double bits = 0;
    try (NDManager manager = model.getNDManager().newSubManager()) {
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNNState state = block.zeroState(manager, 1);
      for (int t = from; t < to; t++) {
        NDArray token = manager.create(new long[] {bytes[t]}, new Shape(1, 1));
        SHARNN.Output output = block.forward(parameterStore, token, state, false);
        state = output.state();
        float[] logits = output.logits().toFloatArray();
        double sum = 0;
        for (float logit : logits) {
          sum += Math.exp(logit);
        }
        bits += (Math.log(sum) - logits[bytes[t + 1]]) / Math.log(2);
      }
    }
    return bits;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void is_the_mean_over_bytes_predicted_one_by_one(boolean split) throws Exception {
    byte[] bytes = Tiny.text(150);
    int[] splits = split ? new int[] {100, 110} : new int[0];
    try (Model model = Tiny.model(withMemoryFor(1000).splits(splits), SEED)) {
      Evaluation evaluation = Tiny.evaluation(model, Tiny.part(folder, bytes), 1, 32);
      double expected = naiveBits(model, bytes, 0, 149) / 149;
      assertThat(evaluation.bitsPerCharacter()).isCloseTo(expected, within(1e-5));
      assertThat(evaluation.predictedBytes()).isEqualTo(149);
    }
  }

  @Test
  void carries_on_the_last_stream_over_what_does_not_fill_all() throws Exception {
    byte[] bytes = Tiny.text(69);
    try (Model model = Tiny.model(withMemoryFor(1000), SEED)) {
      Evaluation evaluation = Tiny.evaluation(model, Tiny.part(folder, bytes), 5, 4);
      // 68 to predict = 5 * 13 + 3: the fifth stream begins at 52 and ends at 68
      double expected = naiveBits(model, bytes, 52, 68);
      for (int stream = 0; stream < 4; stream++) {
        expected += naiveBits(model, bytes, 13 * stream, 13 * (stream + 1));
      }
      assertThat(evaluation.bitsPerCharacter()).isCloseTo(expected / 68, within(1e-5));
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 1", "100, 1", "101, 4", "102, 4", "103, 4", "104, 4", "9, 8", "10, 8", "16, 8"})
  void predicts_every_byte_but_the_first(int length, int streams) throws Exception {
    try (Model model = Tiny.model(Tiny.sharnn(), SEED)) {
      Evaluation evaluation =
          Tiny.evaluation(model, Tiny.part(folder, Tiny.text(length)), streams, 8);
      assertThat(evaluation.predictedBytes()).isEqualTo(length - 1);
      assertThat(evaluation.settings().streams()).isEqualTo(streams);
      assertThat(evaluation.settings().sequenceLength()).isEqualTo(8);
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "1, 7", "1, 64", "1, 1000", "4, 1", "4, 7", "4, 1000"})
  void the_segments_do_not_change_the_result_while_the_memory_holds_all(int streams, int steps)
      throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(200));
    try (Model model = Tiny.model(withMemoryFor(1000), SEED)) {
      double expected = Tiny.evaluation(model, part, streams, 20).bitsPerCharacter();
      assertThat(Tiny.evaluation(model, part, streams, steps).bitsPerCharacter())
          .isCloseTo(expected, within(2e-6));
    }
  }

  @Test
  void context_makes_a_difference() throws Exception {
    // so that the equalities above are none between results that always agree
    Corpus.Part part = Tiny.part(folder, Tiny.text(200));
    try (Model model = Tiny.model(withMemoryFor(1000), SEED);
        Model forgetful = Tiny.model(withMemoryFor(8), SEED)) {
      double whole = Tiny.evaluation(model, part, 1, 8).bitsPerCharacter();
      assertThat(Tiny.evaluation(forgetful, part, 1, 8).bitsPerCharacter())
          .isNotCloseTo(whole, within(1e-4));
      assertThat(Tiny.evaluation(model, part, 20, 8).bitsPerCharacter())
          .isNotCloseTo(whole, within(1e-4));
    }
  }

  @Test
  void streams_are_evaluated_as_if_each_were_alone() throws Exception {
    byte[] bytes = Tiny.text(121); // 3 streams of 40 bytes to predict
    try (Model model = Tiny.model(withMemoryFor(1000), SEED)) {
      double mean = 0;
      for (int stream = 0; stream < 3; stream++) {
        byte[] alone = Arrays.copyOfRange(bytes, 40 * stream, 40 * stream + 41);
        mean += Tiny.evaluation(model, Tiny.part(folder, alone), 1, 16).bitsPerCharacter() / 3;
      }
      Evaluation together = Tiny.evaluation(model, Tiny.part(folder, bytes), 3, 16);
      assertThat(together.bitsPerCharacter()).isCloseTo(mean, within(2e-6));
    }
  }

  @Test
  void is_deterministic_whatever_the_dropout() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(200));
    SHARNNConfig.Builder dropped = Tiny.sharnn().dropouts(0.5f).weightDrop(0.5f);
    try (Model model = Tiny.model(Tiny.sharnn(), SEED);
        Model dropout = Tiny.model(dropped, SEED)) {
      double first = Tiny.evaluation(dropout, part, 2, 16).bitsPerCharacter();
      assertThat(Tiny.evaluation(dropout, part, 2, 16).bitsPerCharacter()).isEqualTo(first);
      assertThat(Tiny.evaluation(model, part, 2, 16).bitsPerCharacter()).isEqualTo(first);
    }
  }

  @Test
  void reads_one_stream_in_segments_of_256_by_default() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(600));
    try (Model model = Tiny.model(Tiny.sharnn(), SEED)) {
      Evaluation evaluation = Evaluation.of(model, part);
      assertThat(evaluation).isEqualTo(Tiny.evaluation(model, part, 1, 256));
      Evaluation.Settings other = Evaluation.Settings.DEFAULT.streams(3).sequenceLength(7);
      assertThat(other).isEqualTo(new Evaluation.Settings(3, 7));
    }
  }

  @Test
  void leaves_no_arrays_behind() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(203));
    try (Model model = Tiny.model(Tiny.sharnn(), SEED)) {
      int before = NativeMemory.arrays();
      Tiny.evaluation(model, part, 4, 16);
      assertThat(NativeMemory.arrays()).isEqualTo(before);
    }
  }

  @Test
  void refuses_bytes_outside_the_vocabulary() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(203));
    try (Model model = Tiny.model(Tiny.sharnn().vocabularySize(100), SEED)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.evaluation(model, part, 1, 16))
          .withMessageContaining("tokens must lie between 0 and vocabularySize - 1 (99)")
          .withMessageContaining("256 for bytes");
    }
  }

  @Test
  void refuses_a_part_too_short_for_the_streams() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(10));
    try (Model model = Tiny.model(Tiny.sharnn(), SEED)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.evaluation(model, part, 10, 16))
          .withMessageContaining("too short for 10 streams");
    }
  }

  @Test
  void refuses_a_model_without_weights() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(203));
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThatIllegalStateException()
          .isThrownBy(() -> Tiny.evaluation(model, part, 1, 16))
          .withMessageStartingWith("model tiny must have weights: train it");
      assertThatIllegalStateException()
          .isThrownBy(
              () -> DynamicEvaluation.of(model, part, part, DynamicEvaluation.Settings.DEFAULT))
          .withMessageStartingWith("model tiny must have weights: train it");
    }
  }
}
