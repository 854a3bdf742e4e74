package io.github.sharnn.train.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.NativeMemory;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.SoleTraining;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DynamicEvaluationTest {

  private static final DynamicEvaluation.Settings SETTINGS =
      DynamicEvaluation.Settings.DEFAULT
          .sequenceLength(16)
          .learningRate(0.1f)
          .statisticsSegments(20);

  @TempDir Path folder;

  /** With dropout, which must make no difference. */
  private static SHARNNConfig.Builder sharnn() {
    return Tiny.sharnn().dropouts(0.3f).weightDrop(0.3f);
  }

  private List<Double> losses(Model model, byte[] bytes, DynamicEvaluation.Settings settings)
      throws Exception {
    List<Double> losses = new ArrayList<>();
    DynamicEvaluation.of(model, training(), Tiny.part(folder, bytes), settings, losses::add);
    return losses;
  }

  /** Words in another order than a part's first thousand bytes. */
  private Corpus.Part training() throws Exception {
    return Tiny.part(folder, Arrays.copyOfRange(Tiny.text(5000), 1000, 5000));
  }

  @ParameterizedTest
  @CsvSource({"1, 16, false", "4, 16, false", "3, 7, false", "3, 7, true", "1, 1000, false"})
  void without_a_learning_rate_it_is_evaluation(int streams, int steps, boolean split)
      throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(301));
    int[] splits = split ? new int[] {100, 110} : new int[0];
    try (Model model = Tiny.model(sharnn().splits(splits), 3)) {
      DynamicEvaluation dynamic =
          DynamicEvaluation.of(
              model,
              training(),
              part,
              SETTINGS.streams(streams).sequenceLength(steps).learningRate(0));
      Evaluation expected = Tiny.evaluation(model, part, streams, steps);
      assertThat(dynamic.bitsPerCharacter()).isCloseTo(expected.bitsPerCharacter(), within(1e-6));
      assertThat(dynamic.predictedBytes()).isEqualTo(300);
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, 1", "FLOAT32, 4", "FLOAT16, 1"})
  void lowers_the_figure_of_a_text_that_repeats_itself(DataType precision, int streams)
      throws Exception {
    byte[] bytes = "abcdefgh".repeat(60 * streams).getBytes(StandardCharsets.US_ASCII);
    Corpus.Part part = Tiny.part(folder, bytes);
    try (Model model = Tiny.model(sharnn(), 3)) {
      double still = Tiny.evaluation(model, part, streams, 16).bitsPerCharacter();
      DynamicEvaluation dynamic =
          DynamicEvaluation.of(
              model, training(), part, SETTINGS.streams(streams).precision(precision));
      assertThat(dynamic.bitsPerCharacter()).isLessThan(0.9 * still);
    }
  }

  @Test
  void predicts_before_it_adapts() throws Exception {
    byte[] bytes = Tiny.text(161);
    byte[] changed = bytes.clone();
    changed[100] = 'Z'; // in the seventh segment: bytes 96 to 112
    try (Model model = Tiny.model(sharnn(), 3)) {
      List<Double> losses = losses(model, bytes, SETTINGS);
      List<Double> still = losses(model, bytes, SETTINGS.learningRate(0));
      assertThat(losses).hasSize(10);
      double first =
          Tiny.evaluation(model, Tiny.part(folder, Arrays.copyOf(bytes, 17)), 1, 16)
              .bitsPerCharacter();
      assertThat(losses.get(0) / SequenceCrossEntropy.NATS_PER_BIT).isCloseTo(first, within(1e-6));
      for (int segment = 1; segment < 10; segment++) {
        assertThat(losses.get(segment)).isNotCloseTo(still.get(segment), within(1e-4));
      }
      List<Double> other = losses(model, changed, SETTINGS);
      assertThat(other.subList(0, 6)).isEqualTo(losses.subList(0, 6));
      assertThat(other.get(6)).isNotEqualTo(losses.get(6));
      assertThat(other.get(9)).isNotEqualTo(losses.get(9));
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32", "FLOAT16"})
  void the_model_stays_as_it_is(DataType precision) throws Exception {
    try (Model model = Tiny.model(sharnn(), 3)) {
      Map<String, float[]> before = Tiny.weights(model.getBlock());
      DynamicEvaluation.Settings settings = SETTINGS.precision(precision);
      double figure =
          DynamicEvaluation.of(model, training(), Tiny.part(folder, Tiny.text(200)), settings)
              .bitsPerCharacter();
      Tiny.assertSameWeights(Tiny.weights(model.getBlock()), before);
      assertThat(
              DynamicEvaluation.of(model, training(), Tiny.part(folder, Tiny.text(200)), settings)
                  .bitsPerCharacter())
          .isEqualTo(figure);
    }
  }

  @Test
  void float16_skips_what_overflows_and_stays_close() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(801));
    try (Model model = Tiny.model(sharnn(), 3)) {
      double expected = DynamicEvaluation.of(model, training(), part, SETTINGS).bitsPerCharacter();
      double still = Tiny.evaluation(model, part, 1, 16).bitsPerCharacter();
      DynamicEvaluation.Settings half = SETTINGS.precision(DataType.FLOAT16);
      assertThat(DynamicEvaluation.of(model, training(), part, half).bitsPerCharacter())
          .isCloseTo(expected, within(0.1 * (still - expected)));
      assertThatExceptionOfType(TrainingDivergedException.class)
          .isThrownBy(
              () -> DynamicEvaluation.of(model, training(), part, half.statisticsSegments(1)))
          .withMessageContaining("no segment of the validation part")
          .withMessageContaining("take more than 1 of them");
    }
  }

  @Test
  void says_where_it_diverged_and_which_rate_to_lower() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(801));
    try (Model model = Tiny.model(sharnn(), 3)) {
      assertThatExceptionOfType(TrainingDivergedException.class)
          .isThrownBy(
              () -> DynamicEvaluation.of(model, training(), part, SETTINGS.learningRate(1e38f)))
          .withMessageMatching(
              "dynamic evaluation diverged at segment [12]: gradient norm not finite;"
                  + " lower its learning rate, 1.0E38");
    }
  }

  @Test
  void bytes_that_the_statistics_have_not_seen_do_no_harm() throws Exception {
    String unseen = "ABCDEFGH".repeat(60);
    Corpus.Part part = Tiny.part(folder, unseen.getBytes(StandardCharsets.US_ASCII));
    try (Model model = Tiny.model(sharnn().tiedOutput(false), 3)) {
      double still = Tiny.evaluation(model, part, 1, 16).bitsPerCharacter();
      assertThat(DynamicEvaluation.of(model, training(), part, SETTINGS).bitsPerCharacter())
          .isLessThan(still);
    }
  }

  @Test
  void works_with_a_collapsed_model_and_leaves_no_arrays_behind() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(200));
    try (Model model = Tiny.model(sharnn(), 3)) {
      double expected =
          DynamicEvaluation.of(model, training(), part, SETTINGS.learningRate(0))
              .bitsPerCharacter();
      int before = NativeMemory.arrays();
      Corpus.Part training = training();
      List<Integer> during = new ArrayList<>();
      DynamicEvaluation.of(
          model,
          training,
          part,
          SETTINGS.streams(3).sequenceLength(8),
          loss -> during.add(NativeMemory.arrays()));
      assertThat(NativeMemory.arrays()).isEqualTo(before);
      assertThat(during).hasSizeGreaterThan(8).containsOnly(during.get(0));
      model.setBlock(SHARNN.of(model).collapse(model.getNDManager()));
      assertThat(
              DynamicEvaluation.of(model, training(), part, SETTINGS.learningRate(0))
                  .bitsPerCharacter())
          .isCloseTo(expected, within(1e-5));
      assertThat(DynamicEvaluation.of(model, training(), part, SETTINGS).bitsPerCharacter())
          .isNotCloseTo(expected, within(1e-4));
    }
  }

  @Test
  void refuses_what_it_cannot_do() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(50));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SETTINGS.streams(0))
        .withMessage("streams must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SETTINGS.sequenceLength(0))
        .withMessage("sequenceLength must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SETTINGS.learningRate(Float.NaN))
        .withMessageContaining("at least 0 and finite, but is NaN");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SETTINGS.decay(1.1f))
        .withMessageContaining("between 0 and 1, but is 1.1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SETTINGS.epsilon(0))
        .withMessageContaining(
            "epsilon of dynamic evaluation must be above 0 and finite, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SETTINGS.statisticsSegments(0))
        .withMessage("statisticsSegments must be at least 1, but are 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SETTINGS.precision(DataType.BFLOAT16))
        .withMessageContaining("must be FLOAT32 or FLOAT16");
    try (Model model = Tiny.model(sharnn(), 3)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> DynamicEvaluation.of(model, training(), part, SETTINGS.streams(50)))
          .withMessageContaining("too short for 50 streams");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> DynamicEvaluation.of(model, part, part, SETTINGS.streams(4)))
          .withMessageContaining("too short for a segment of 16 in each of 4 streams")
          .withMessageContaining("use shorter segments or fewer streams");
      Corpus words =
          Tiny.corpus(folder, 2000).withVocabulary(WordVocabulary.of(List.of("<eos>", "<unk>")));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> DynamicEvaluation.of(model, words.train(), part, SETTINGS))
          .withMessageContaining("the training part")
          .withMessageContaining("but the model has");
      SoleTraining.begin("other");
      try {
        assertThatIllegalStateException()
            .isThrownBy(() -> DynamicEvaluation.of(model, training(), part, SETTINGS));
      } finally {
        SoleTraining.end();
      }
      assertThat(DynamicEvaluation.of(model, training(), part, SETTINGS).predictedBytes())
          .isEqualTo(49);
    }
  }
}
