package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.metric.Metrics;
import ai.djl.training.Trainer;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.GradientClipping;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The events and metrics that DJL's listeners receive from a run. */
class TrainingListenersTest {

  @TempDir Path folder;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 3_000);
  }

  /** Writes down what DJL's trainer tells. */
  private static final class Recorder implements TrainingListener {

    private final List<String> events = new ArrayList<>();

    @Override
    public void onEpoch(Trainer trainer) {
      events.add("epoch");
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData batchData) {
      boolean stepped = GradientClipping.clip(trainer.getModel().getBlock(), 1e9) == 0;
      events.add(stepped ? "late batch" : "batch");
      assertThat(batchData.getLabels()).hasSize(1);
      assertThat(batchData.getPredictions()).hasSize(1);
    }

    @Override
    public void onValidationBatch(Trainer trainer, BatchData batchData) {
      events.add("validation");
      assertThat(batchData.getLabels()).hasSize(1);
      assertThat(batchData.getPredictions()).hasSize(1);
    }

    @Override
    public void onTrainingBegin(Trainer trainer) {
      events.add("begin");
    }

    @Override
    public void onTrainingEnd(Trainer trainer) {
      events.add("end");
    }
  }

  @Test
  void tells_listeners_in_the_stock_order() throws Exception {
    // 160 bytes to train on: 4 streams of 39, so segments of 5 end with one of 4; 20 to validate
    Corpus small = Corpus.withSizes(Tiny.file(folder, Tiny.text(300)), 160, 21, 10);
    Recorder recorder = new Recorder();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      Tiny.trainer(model)
          .sequenceLength(5)
          .listeners(recorder)
          .onStep(report -> recorder.events.add("step"))
          .build()
          .fit(small, Budget.epochs(1));
    }
    List<String> expected = new ArrayList<>(List.of("begin"));
    for (int batch = 0; batch < 8; batch++) {
      expected.add("batch");
      if (batch == 7) {
        expected.add("validation");
      }
      expected.add("step");
    }
    expected.addAll(List.of("epoch", "end"));
    assertThat(recorder.events).isEqualTo(expected);
  }

  @Test
  void tells_listeners_of_every_slice() {
    Recorder recorder = new Recorder();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      Tiny.trainer(model).accumulation(2).listeners(recorder).build().fit(corpus, Budget.steps(3));
    }
    assertThat(recorder.events.stream().filter("batch"::equals)).hasSize(6);
  }

  @Test
  void feeds_stock_listeners_and_metrics() {
    Metrics metrics = new Metrics();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result =
          Tiny.trainer(model)
              .learningRate(Tracker.fixed(5e-2f))
              .zeroStateProbability(0)
              .seed(5)
              .listeners(TrainingListener.Defaults.logging())
              .metrics(metrics)
              .build()
              .fit(corpus, Budget.epochs(1));
      int steps = result.history().size();
      for (String name :
          List.of("forward", "backward", "step", "trainBpc", "gradientNorm", "bytesPerSecond")) {
        assertThat(metrics.getMetric(name)).as(name).hasSize(steps);
      }
      assertThat(metrics.getMetric("validationBpc")).hasSize(1);
      assertThat(metrics.latestMetric("validationBpc").getValue().doubleValue())
          .isEqualTo(result.last().validationBpc());
      String validateLoss =
          EvaluatorTrainingListener.metricName(
              new SequenceCrossEntropy(), EvaluatorTrainingListener.VALIDATE_EPOCH);
      assertThat(
              metrics.latestMetric(validateLoss).getValue().doubleValue()
                  / SequenceCrossEntropy.NATS_PER_BIT)
          .isCloseTo(result.last().validationBpc(), within(0.2)); // a mean over batches, not bytes
    }
  }

  @Test
  void stock_listeners_need_no_metrics() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result =
          Tiny.trainer(model)
              .listeners(TrainingListener.Defaults.logging())
              .build()
              .fit(corpus, Budget.steps(2));
      assertThat(result.history()).hasSize(2);
    }
  }
}
