package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.Muon;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingOptionsTest {

  @TempDir Path folder;

  @Test
  void a_builder_that_changes_after_build_leaves_its_trainer_as_it_was() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    List<StepReport> reports = new ArrayList<>();
    try (Model model = Tiny.model(Tiny.sharnn(), 1);
        Model other = Tiny.model(Tiny.sharnn(), 1)) {
      SHARNNTrainer.Builder builder = Tiny.trainer(model).seed(3);
      SHARNNTrainer trainer = builder.build();
      TrainingOptions before = trainer.options();
      builder
          .batchSize(2)
          .sequenceLength(8)
          .clipNorm(1)
          .seed(4)
          .averageDecay(0.5)
          .lookahead(2, 0.5f)
          .learningRate(Tracker.fixed(1f))
          .onStep(reports::add)
          .stopWhen(() -> true)
          .checkpoints(CheckpointPolicy.in(folder.resolve("run")));
      FitResult actual = trainer.fit(corpus, Budget.steps(4));
      FitResult expected = Tiny.trainer(other).seed(3).build().fit(corpus, Budget.steps(4));
      assertThat(trainer.options()).isEqualTo(before);
      assertThat(actual.history())
          .extracting(StepReport::trainBpc)
          .isEqualTo(expected.history().stream().map(StepReport::trainBpc).toList());
      Tiny.assertSameWeights(Tiny.weights(model.getBlock()), Tiny.weights(other.getBlock()));
      assertThat(reports).isEmpty();
      assertThat(folder.resolve("run")).doesNotExist();
    }
  }

  @Test
  void stages_leave_the_builder_and_the_trainer_of_their_caller_as_they_were() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      Tracker rate = Tracker.fixed(1e-3f);
      SHARNNTrainer.Builder builder = Tiny.trainer(model).learningRate(rate);
      SHARNNTrainer trainer = builder.build();
      TrainingStage stage = new TrainingStage(LearningRateSchedule.peak(0.5f), Budget.steps(2));
      FitResult staged = trainer.fit(corpus, List.of(stage, stage)).get(1);
      assertThat(staged.last().learningRate()).isEqualTo(0.5f);
      assertThat(trainer.learningRate()).isSameAs(rate);
      assertThat(builder.build().learningRate()).isSameAs(rate);
      assertThat(trainer.fit(corpus, Budget.steps(2)).last().learningRate()).isEqualTo(1e-3f);
    }
  }

  @Test
  void prints_what_differs_from_the_defaults() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThat(Tiny.trainer(model).averageDecay(0.9).build().options())
          .hasToString("batch size 4, sequence length 16, average decay 0.9, precision float32");
      assertThat(SHARNNTrainer.builder(model).build().options()).hasToString("precision float32");
    }
  }

  @Test
  void lists_every_option_by_name() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThat(Tiny.trainer(model).build().options().values())
          .hasSize(TrainingOptions.class.getRecordComponents().length)
          .containsEntry("batchSize", 4)
          .containsEntry("clipNorm", 0.25)
          .containsEntry("precision", DataType.FLOAT32);
    }
  }

  @Test
  void lists_the_settings_of_an_optimizer_that_is_given() {
    try (Model model = Tiny.sharnn().build().newModel("tiny");
        Muon muon = Muon.builder().optIterations(3).optWeightDecays(0.3f).optRestRate(2).build()) {
      assertThat(SHARNNTrainer.builder(model).optimizer(muon).build().options())
          .hasToString(
              "optimizer muon (weight decay 0.3, rest rate x 2.0, iterations 3), precision float32");
    }
  }

  @Test
  void starts_a_trainer_with_the_same_options() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      TrainingOptions options =
          Tiny.trainer(model)
              .accumulation(2)
              .clipNorm(0.5)
              .seed(7)
              .evaluationInterval(3)
              .evaluationStreams(5)
              .labelSmoothing(0.1f)
              .lookahead(6, 0.75f)
              .averageDecay(0.9)
              .zeroStateProbability(0.2)
              .optimizer(OptimizerSettings.of(OptimizerSettings.Type.ADAMW).weightDecay(0.2f))
              .kernels(Kernels.Use.OFF)
              .build()
              .options();
      assertThat(options.trainer(model).build().options()).isEqualTo(options);
    }
  }
}
