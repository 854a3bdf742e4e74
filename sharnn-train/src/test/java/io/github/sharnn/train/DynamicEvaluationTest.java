package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import com.google.common.primitives.Doubles;
import com.google.common.primitives.Floats;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNBuilder;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.torchscript.Operators;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
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
  private static SHARNNBuilder sharnn() {
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
      Evaluation expected = Evaluation.of(model, part, streams, steps);
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
      double still = Evaluation.of(model, part, streams, 16).bitsPerCharacter();
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
          Evaluation.of(model, Tiny.part(folder, Arrays.copyOf(bytes, 17)), 1, 16)
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

  /** What the rule says, of gradients that PyTorch computes in FLOAT32, in doubles. */
  @ParameterizedTest
  @CsvSource({"1, 0.01, 1, 3", "2, 0.9, 0.5, 3", "1, 0.3, 0.05, 100", "3, 0, 2, 1"})
  void follows_the_rule_written_out(int streams, float decay, float epsilon, int statistics)
      throws Exception {
    byte[] bytes = Tiny.text(16 * 6 * streams + 1);
    byte[] read = Tiny.text(16 * 5 * streams + 7); // the last segment is not whole
    DynamicEvaluation.Settings settings =
        SETTINGS
            .streams(streams)
            .learningRate(0.5f)
            .decay(decay)
            .epsilon(epsilon)
            .statisticsSegments(statistics);
    Corpus.Part part = Tiny.part(folder, bytes);
    Corpus.Part training = Tiny.part(folder, read);
    List<Double> losses = new ArrayList<>();
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      DynamicEvaluation.of(model, training, part, settings, losses::add);
      List<Double> expected = new ArrayList<>();
      try (Trainer trainer =
          model.newTrainer(new DefaultTrainingConfig(new SequenceCrossEntropy()))) {
        trainer.initialize(new Shape(streams, 16));
        writtenOut(trainer, training, part, settings, expected);
      }
      assertThat(losses).hasSize(6);
      for (int segment = 0; segment < 6; segment++) {
        assertThat(losses.get(segment)).isCloseTo(expected.get(segment), within(1e-4));
      }
      for (DynamicEvaluation.Settings other :
          List.of(
              settings.learningRate(0.45f),
              settings.decay(decay < 0.5f ? decay + 0.1f : 0.7f),
              settings.epsilon(epsilon * 1.1f),
              settings.statisticsSegments(2))) {
        List<Double> others = new ArrayList<>();
        DynamicEvaluation.of(model, training, part, other, others::add);
        assertThat(others.get(5)).isNotCloseTo(expected.get(5), within(1e-3));
      }
    }
  }

  private static void writtenOut(
      Trainer trainer,
      Corpus.Part training,
      Corpus.Part part,
      DynamicEvaluation.Settings settings,
      List<Double> losses) {
    double[][] trained = doubles(weights(trainer));
    double[][] rms = doubles(weights(trainer));
    int statistics = Math.min(settings.statisticsSegments(), 5);
    List<double[][]> read = new ArrayList<>();
    segments(trainer, training, settings, (loss, gradients) -> read.add(gradients));
    double sum = 0;
    long count = 0;
    for (int i = 0; i < rms.length; i++) {
      for (int j = 0; j < rms[i].length; j++) {
        double squares = 0;
        for (double[][] gradients : read.subList(0, statistics)) {
          squares += gradients[i][j] * gradients[i][j];
        }
        rms[i][j] = Math.sqrt(squares / statistics);
        sum += rms[i][j];
        count++;
      }
    }
    double mean = sum / count;
    double drop = 0;
    for (double[] values : rms) {
      for (double value : values) {
        drop += value * value / (value + settings.epsilon() * mean);
      }
    }
    double rate = settings.learningRate() / drop;
    double[][] weights = doubles(weights(trainer));
    segments(
        trainer,
        part,
        settings,
        (loss, gradients) -> {
          losses.add(loss);
          for (int i = 0; i < rms.length; i++) {
            for (int j = 0; j < rms[i].length; j++) {
              double back = Math.min(1, settings.decay() * rms[i][j] / mean);
              weights[i][j] +=
                  back * (trained[i][j] - weights[i][j])
                      - rate * gradients[i][j] / (rms[i][j] + settings.epsilon() * mean);
            }
          }
          setWeights(trainer, weights);
        });
    setWeights(trainer, trained);
  }

  /** Tells the loss of each segment and the gradients of its weights, which may then change. */
  private static void segments(
      Trainer trainer,
      Corpus.Part part,
      DynamicEvaluation.Settings settings,
      BiConsumer<Double, double[][]> consumer) {
    SHARNN block = SHARNN.of(trainer.getModel());
    TrainingStep step = new TrainingStep(trainer);
    SHARNNState state = block.zeroState(trainer.getManager(), settings.streams());
    for (Batch batch :
        StreamDataset.fixed(part, settings.streams(), settings.sequenceLength())
            .getData(trainer.getManager())) {
      TrainingStep.Result result = step.run(batch, state, 1);
      state = result.state();
      NDList gradients = GlobalNorm.gradients(block);
      double[][] values = doubles(gradients);
      Operators.get().call("zero", gradients).close();
      consumer.accept((double) result.loss().getFloat(), values);
    }
  }

  private static NDList weights(Trainer trainer) {
    return WorkingWeights.aliases(trainer.getModel());
  }

  private static void setWeights(Trainer trainer, double[][] values) {
    NDList arrays = new NDList();
    for (NDArray weight : weights(trainer)) {
      float[] floats = Floats.toArray(Doubles.asList(values[arrays.size()]));
      arrays.add(trainer.getManager().create(floats, weight.getShape()));
    }
    Operators.get().call("copy", weights(trainer), arrays).close();
  }

  private static double[][] doubles(NDList arrays) {
    return arrays.stream()
        .map(array -> Doubles.toArray(Floats.asList(array.toFloatArray())))
        .toArray(double[][]::new);
  }

  @Test
  void float16_skips_what_overflows_and_stays_close() throws Exception {
    Corpus.Part part = Tiny.part(folder, Tiny.text(801));
    try (Model model = Tiny.model(sharnn(), 3)) {
      double expected = DynamicEvaluation.of(model, training(), part, SETTINGS).bitsPerCharacter();
      double still = Evaluation.of(model, part, 1, 16).bitsPerCharacter();
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
  void bytes_that_the_statistics_have_not_seen_do_no_harm() throws Exception {
    String unseen = "ABCDEFGH".repeat(60);
    Corpus.Part part = Tiny.part(folder, unseen.getBytes(StandardCharsets.US_ASCII));
    try (Model model = Tiny.model(sharnn().tiedOutput(false), 3)) {
      double still = Evaluation.of(model, part, 1, 16).bitsPerCharacter();
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
        .withMessage("streams must be at least 1, but are 0");
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
