package io.github.sharnn.train.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import com.google.common.primitives.Doubles;
import com.google.common.primitives.Floats;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.engine.Operators;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.GradientClipping;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.TrainingStep;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The rule of dynamic evaluation. */
class AdaptingRunTest {

  @TempDir private Path folder;

  /** Applies the rule in doubles to gradients that PyTorch computes in FLOAT32. */
  @ParameterizedTest
  @CsvSource({"1, 0.01, 1, 3", "2, 0.9, 0.5, 3", "1, 0.3, 0.05, 100", "3, 0, 2, 1"})
  void follows_the_rule_written_out(int streams, float decay, float epsilon, int statistics)
      throws Exception {
    byte[] bytes = Tiny.text(16 * 6 * streams + 1);
    byte[] read = Tiny.text(16 * 5 * streams + 7); // the last segment is not whole
    DynamicEvaluation.Settings settings =
        DynamicEvaluation.Settings.DEFAULT
            .sequenceLength(16)
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
      NDList gradients = GradientClipping.gradients(block);
      double[][] values = doubles(gradients);
      Operators.get().call("zero", gradients).close();
      consumer.accept((double) result.loss().getFloat(), values);
    }
  }

  private static NDList weights(Trainer trainer) {
    return MixedPrecisionWeights.aliases(trainer.getModel());
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
}
