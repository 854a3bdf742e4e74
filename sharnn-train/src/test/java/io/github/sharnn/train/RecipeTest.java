package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.Model;
import ai.djl.training.optimizer.Adam;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class RecipeTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({"PAPER, 1, 16", "PAPER_FOUR_HEADS, 4, 8", "PAPER_NO_ATTENTION, 0, 16"})
  void the_rows_of_the_paper_differ_in_their_heads(Recipe recipe, int heads, int batchSize) {
    SHARNNConfig config = recipe.model().config();
    assertThat(config.attentionLayers()).hasSize(heads);
    assertThat(config)
        .usingRecursiveComparison()
        .ignoringFields("attentionLayers")
        .isEqualTo(SHARNN.builder().config());
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      SHARNNTrainer trainer = recipe.trainer(model).build();
      TrainingOptions options = trainer.options();
      assertThat(options.batchSize()).isEqualTo(batchSize);
      assertThat(options.sequenceLength()).isEqualTo(1024);
      assertThat(options.zeroStateProbability()).isZero();
      assertThat(options.clipNorm()).isEqualTo(0.25);
      assertThat(trainer.learningRate()).isEqualTo(LearningRateSchedule.peak(2e-3f).warmUp(800));
    }
    assertThat(recipe.stages())
        .containsExactly(
            new TrainingStage(LearningRateSchedule.peak(2e-3f).warmUp(800), Budget.epochs(32)),
            new TrainingStage(
                LearningRateSchedule.peak(1e-3f).warmUp(800), Budget.epochs(32).patience(3)));
  }

  @Test
  void stages_are_described_in_words() {
    assertThat(Recipe.PAPER.stages())
        .hasToString(
            "[32 epochs at rate 0.002, warm-up of 800 steps,"
                + " 32 epochs, patience 3 at rate 0.001, warm-up of 800 steps]");
    assertThat(Recipe.FAST.stages())
        .hasToString("[500 s at rate 0.003, warm-up of 300 steps, linear to 0 at the end]");
    assertThat(new TrainingStage(null, Budget.steps(1))).hasToString("1 step at a rate of its own");
    assertThat(LearningRateSchedule.peak(8e-4f).cosine(1e-5f).hold(0.25f).plateau(0.5f, 2))
        .hasToString(
            "0.0008, cosine to 0.00001 at the end, from 25% of the budget on, times 0.5 after 2"
                + " evaluations without a new best");
    assertThat(LearningRateSchedule.peak(1).cooldown(40).decayAfter(15, 18))
        .hasToString("1, cooldown to 0 from step 40 to 80, a tenth after each step of [15, 18]");
  }

  @ParameterizedTest
  @EnumSource
  void every_recipe_can_be_changed_and_leaves_the_next_as_it_was(Recipe recipe) {
    recipe.model().layers(1).attentionLayers().dropouts(0.9f);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      recipe.trainer(model).batchSize(1).sequenceLength(1);
      assertThat(recipe.trainer(model).build().options().batchSize()).isGreaterThan(1);
      assertThat(recipe.trainer(model).build().learningRate())
          .isEqualTo(recipe.stages().get(0).learningRate());
    }
    assertThat(recipe.model().config().layers()).isGreaterThan(1);
    assertThat(recipe.description()).isNotBlank().doesNotContain("\n");
  }

  @Test
  void names_are_those_of_the_command_line() {
    assertThat(Stream.of(Recipe.values()).map(Recipe::toString))
        .containsExactly(
            "small", "paper", "paper-four-heads", "paper-no-attention", "fast", "fast-subwords");
  }

  @ParameterizedTest
  @EnumSource
  void only_one_recipe_has_subwords(Recipe recipe) {
    assertThat(recipe.subwords()).isEqualTo(recipe == Recipe.FAST_SUBWORDS ? 8192 : 0);
  }

  @ParameterizedTest
  @EnumSource(names = {"FAST", "FAST_SUBWORDS"})
  void a_fast_recipe_sets_more_than_the_paper(Recipe recipe) {
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      TrainingOptions options = recipe.trainer(model).build().options();
      assertThat(options.optimizer()).isEqualTo(recipe.optimizer());
      assertThat(options.optimizer().type()).isEqualTo(OptimizerSettings.Type.MUON);
      assertThat(options.clipNorm()).isEqualTo(1);
      assertThat(options.averageDecay()).isEqualTo(0.998);
      assertThat(options.evaluationStreams()).isEqualTo(options.batchSize());
      assertThat(recipe.trainer(model).batchSize(3).build().options().evaluationStreams())
          .isEqualTo(3);
      // short texts need it
      assertThat(options.zeroStateProbability()).isEqualTo(0.01);
    }
    TrainingStage stage = recipe.stages().get(0);
    assertThat(recipe.stages()).hasSize(1);
    assertThat(stage.budget()).isEqualTo(Budget.time(Duration.ofSeconds(500)));
    assertThat(stage.learningRate().finalRate()).isZero();
  }

  private static SHARNNTrainer.Builder trainer(Model model) {
    return Tiny.trainer(model).evaluationInterval(5);
  }

  private static TrainingStage stage(float rate, Budget budget) {
    return new TrainingStage(LearningRateSchedule.peak(rate), budget);
  }

  @Test
  void a_second_stage_goes_on_from_the_best_weights_until_nothing_improves() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    List<StepReport> reports = new ArrayList<>();
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      List<FitResult> results =
          trainer(model)
              .onStep(reports::add)
              .build()
              .fit(
                  corpus,
                  List.of(
                      stage(5e-2f, Budget.steps(60)),
                      stage(1e-2f, Budget.steps(2000).patience(1))));
      assertThat(results).hasSize(2);
      FitResult first = results.get(0);
      FitResult second = results.get(1);
      assertThat(first.history()).hasSize(60);
      assertThat(first.last().learningRate()).isEqualTo(5e-2f);
      assertThat(second.last().learningRate()).isEqualTo(1e-2f);
      assertThat(second.history().get(0).step()).isEqualTo(1);
      assertThat(second.history().get(0).trainBpc())
          .isLessThan(first.history().get(0).trainBpc() - 2);
      assertThat(second.last().step()).isLessThan(2000);
      assertThat(second.best().validationBpc()).isLessThan(first.best().validationBpc());
      assertThat(reports).hasSize(first.history().size() + second.history().size());
      assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(second.best().validationBpc());
    }
  }

  @Test
  void a_stage_that_makes_it_worse_is_undone() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      List<FitResult> results =
          trainer(model)
              .build()
              .fit(
                  corpus,
                  List.of(stage(5e-2f, Budget.steps(60)), stage(1, Budget.steps(200).patience(1))));
      double best = results.get(0).best().validationBpc();
      assertThat(results.get(1).best().validationBpc()).isGreaterThan(best);
      assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isEqualTo(best);
    }
  }

  @Test
  void stages_need_lamb_and_at_least_one() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).build().fit(corpus, List.of()))
          .withMessage("stages must not be empty");
      List<TrainingStage> without = List.of(new TrainingStage(null, Budget.steps(1)));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer(model).build().fit(corpus, without))
          .withMessageContaining("each stage must have a learning rate, but one has none");
      SHARNNTrainer.Builder adam = trainer(model).optimizer(Adam.builder().build());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> adam.build().fit(corpus, Recipe.SMALL.stages()))
          .withMessageContaining(
              "but the optimizer is ai.djl.training.optimizer.Adam: call fit(corpus, budget)");
    }
  }
}
