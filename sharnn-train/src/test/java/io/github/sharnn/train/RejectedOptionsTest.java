package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.core.Linear;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.Lamb;
import io.github.sharnn.train.optim.Lookahead;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.train.optim.OptimizerSettings.Type;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Options that a trainer rejects, and its messages. */
class RejectedOptionsTest {

  @TempDir Path folder;

  @Test
  void refuses_options_outside_their_rules() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).batchSize(0).build())
          .withMessage("batchSize must be at least 1, but is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).sequenceLength(-1).build())
          .withMessage("sequenceLength must be at least 1, but is -1");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).accumulation(3).build())
          .withMessage("accumulation must be at least 1 and divide batchSize (4), but is 3");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).accumulation(0).build())
          .withMessageContaining("accumulation")
          .withMessageContaining("is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).clipNorm(Double.NaN).build())
          .withMessage("clipNorm must be above 0, but is NaN");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).evaluationInterval(-1).build())
          .withMessage("evaluationInterval must be at least 0, but is -1");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).evaluationStreams(0).build())
          .withMessage("evaluationStreams must be at least 1, but is 0");
    }
  }

  /** Hours before it could not be saved. */
  @Test
  void refuses_a_model_with_an_array_beyond_2_GiB() {
    SHARNNConfig.Builder large = SHARNN.builder().vocabularySize(524_288);
    try (Model model = large.build().newModel("large")) { // 2^31 bytes
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).build())
          .withMessageContaining("524288 x 1024 numbers has 2147483648 bytes")
          .withMessageContaining("choose a smaller embeddingSize");
    }
    try (Model model = large.vocabularySize(524_287).build().newModel("large")) {
      assertThat(Tiny.trainer(model).build()).isNotNull();
    }
  }

  @Test
  void refuses_a_model_of_another_kind() {
    try (Model model = Model.newInstance("linear")) {
      model.setBlock(Linear.builder().setUnits(1).build());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> SHARNNTrainer.builder(model))
          .withMessageContaining("model linear must hold a SHARNN block");
    }
  }

  @Test
  void says_that_a_byte_is_outside_the_vocabulary() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (Model model = Tiny.sharnn().vocabularySize(100).build().newModel("tiny")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).build().fit(corpus, Budget.steps(1)))
          .withMessageContaining("tokens must lie between 0 and vocabularySize - 1 (99)")
          .withMessageContaining("256 for bytes");
    }
  }

  @Test
  void says_that_a_part_is_too_short_for_the_streams() throws Exception {
    Corpus small = Corpus.withSizes(Tiny.file(folder, Tiny.text(100)), 90, 4, 4);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).build().fit(small, Budget.steps(1)))
          .withMessageContaining("validation part")
          .withMessageContaining("too short for 4 streams");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).batchSize(100).build().fit(small, Budget.steps(1)))
          .withMessageContaining("training part")
          .withMessageContaining("too short for 100 streams");
      assertThat(
              Tiny.trainer(model)
                  .evaluationStreams(3)
                  .build()
                  .fit(small, Budget.steps(1))
                  .history())
          .hasSize(1);
    }
  }

  /** It used to be seen in the first step, after the corpus was hashed. */
  @Test
  void refuses_null_where_an_option_has_no_such_value() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      SHARNNTrainer.Builder builder = Tiny.trainer(model);
      assertThatNullPointerException()
          .isThrownBy(() -> builder.learningRate(null))
          .withMessage("learningRate must not be null: omit the call for the default");
      assertThatNullPointerException()
          .isThrownBy(() -> builder.onStep(null))
          .withMessage("onStep must not be null: omit the call for the default");
      assertThatNullPointerException()
          .isThrownBy(() -> builder.stopWhen(null))
          .withMessage("stopWhen must not be null: omit the call for the default");
      assertThatNullPointerException()
          .isThrownBy(() -> Lamb.builder().optLearningRateTracker(null).build())
          .withMessage("optLearningRateTracker must not be null");
      assertThatNullPointerException()
          .isThrownBy(() -> Lookahead.around(null, 5, 0.5f))
          .withMessage("Lookahead's optimizer must not be null");
    }
  }

  @Test
  void refuses_a_learning_rate_beside_an_optimizer_with_its_own() {
    List<Optimizer> optimizers =
        List.of(Lamb.builder().build(), Optimizer.adam().build(), Optimizer.adamW().build());
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      for (Optimizer optimizer : optimizers) {
        SHARNNTrainer.Builder builder =
            Tiny.trainer(model).optimizer(optimizer).learningRate(Tracker.fixed(7e-7f));
        assertThatIllegalArgumentException()
            .isThrownBy(builder::build)
            .withMessageContaining("learningRate can't be combined with an optimizer")
            .withMessageContaining(optimizer.getClass().getName());
        // the last optimizer decides
        assertThat(builder.optimizer(OptimizerSettings.of(Type.LAMB)).build()).isNotNull();
        assertThat(Recipe.SMALL.trainer(model).optimizer(optimizer).build()).isNotNull();
      }
    }
  }

  @Test
  void says_how_to_have_lookahead_with_checkpoints_and_float16() {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      SHARNNTrainer.Builder builder =
          Tiny.trainer(model).optimizer(Lookahead.around(Lamb.builder().build(), 5, 0.5f));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> builder.precision(DataType.FLOAT16).build())
          .withMessageContaining("FLOAT16 works only with Lamb")
          .withMessageContaining("Lookahead (set lookahead(steps, alpha) instead)");
      builder.precision(null).checkpoints(CheckpointPolicy.in(folder));
      assertThatIllegalArgumentException()
          .isThrownBy(builder::build)
          .withMessageContaining("checkpoints work only with Lamb")
          .withMessageContaining("Lookahead (set lookahead(steps, alpha) instead)");
    }
  }

  /** FLOAT16 weights used to be trained as they were, whatever the precision said. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT16", "FLOAT64"})
  void refuses_weights_of_another_type(DataType type) throws Exception {
    Corpus corpus = Tiny.corpus(folder, 2000);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      model.setDataType(type);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.trainer(model).build().fit(corpus, Budget.steps(1)))
          .withMessageContaining(
              "model tiny must have FLOAT32 weights to be trained, but has " + type)
          .withMessageContaining("do not call Model.setDataType");
    }
  }

  @Test
  void required_kernels_that_cannot_run_are_rejected() throws Exception {
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      Path run = folder.resolve("run");
      SHARNNTrainer trainer =
          Tiny.trainer(model)
              .kernels(Kernels.Use.REQUIRED)
              .checkpoints(CheckpointPolicy.in(run))
              .build();
      Corpus corpus = Tiny.corpus(folder, 3_000);
      assertThatIllegalStateException()
          .isThrownBy(() -> trainer.fit(corpus, Budget.steps(1)))
          .withMessageContaining("this library's kernels can't run, because the device is cpu");
      assertThat(run).doesNotExist();
      assertThat(SHARNN.of(model).kernels()).isEqualTo(Kernels.Use.AUTO);
    }
  }
}
