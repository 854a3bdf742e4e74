package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.train.TrainingStage;
import io.github.sharnn.train.optim.OuterStep;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** The options of a training, which need no cluster. */
class TrainerParamsTest {

  private static SharnnDistributedTrainer trainer() {
    return new SharnnDistributedTrainer();
  }

  @Test
  void training_options_are_the_recipes_unless_set() {
    SharnnDistributedTrainer trainer =
        trainer().setOption("batchSize", 8).setOption("averageDecay", 0.9);
    String json = trainer.getOrDefault(trainer.options());
    TrainingOptions options = TrainingJob.options(Recipe.FAST, json, Device.cpu());
    TrainingOptions recipe = Recipe.FAST.options(DataType.FLOAT32);
    assertThat(options.batchSize()).isEqualTo(8);
    assertThat(options.evaluationStreams()).isEqualTo(8);
    assertThat(options.averageDecay()).isEqualTo(0.9);
    assertThat(options.optimizer()).isEqualTo(recipe.optimizer());
    assertThat(options.clipNorm()).isEqualTo(recipe.clipNorm());
    assertThat(TrainingJob.options(Recipe.FAST, "{}", Device.cpu())).isEqualTo(recipe);
    assertThat(TrainingJob.options(Recipe.FAST, "{}", Device.gpu()).precision())
        .isEqualTo(DataType.FLOAT16);
  }

  @Test
  void rate_and_budget_are_the_recipes_unless_set() {
    TrainingStage small = Recipe.SMALL.stages().get(0);
    assertThat(trainer().stage(Recipe.SMALL)).isEqualTo(small);
    TrainingStage stage =
        trainer()
            .setLearningRate(0.5)
            .setWarmUpSteps(3)
            .setSeconds(2)
            .setSteps(7)
            .stage(Recipe.SMALL);
    assertThat(stage.learningRate().peak()).isEqualTo(0.5f);
    assertThat(stage.learningRate().warmUpSteps()).isEqualTo(3);
    assertThat(stage.learningRate().finalRate()).isZero();
    assertThat(stage.budget()).isEqualTo(Budget.steps(7));
    assertThat(trainer().setSteps(7).setSeconds(1.5).stage(Recipe.FAST).budget())
        .isEqualTo(Budget.time(Duration.ofMillis(1500)));
    assertThat(trainer().setLearningRate(0.1).stage(Recipe.PAPER).learningRate().finalRate())
        .isEqualTo(0.1f); // constant, as the recipe's
  }

  @Test
  void the_interval_is_the_recipes_unless_set() {
    assertThat(trainer().outer(Recipe.SMALL)).isEqualTo(new OuterStep.Settings(5, 1, 0.3f, 1));
    assertThat(trainer().outer(Recipe.FAST).interval()).isEqualTo(100);
    assertThat(trainer().setInterval(30).outer(Recipe.SMALL).interval()).isEqualTo(30);
  }

  @Test
  void a_config_travels_as_json() {
    SharnnDistributedTrainer trainer =
        trainer().setConfig(SHARNN.builder().embeddingSize(8).boomSize(16).config());
    assertThat(trainer.checkedConfig(Recipe.SMALL).embeddingSize()).isEqualTo(8);
    assertThat(trainer().checkedConfig(Recipe.SMALL)).isEqualTo(Recipe.SMALL.model().config());
    assertThatThrownBy(
            () ->
                trainer()
                    .setConfig(SHARNN.builder().vocabularySize(257).config())
                    .checkedConfig(Recipe.SMALL))
        .hasMessage("config must be that of a model on bytes, but its vocabularySize is 257");
  }

  @Test
  void options_are_checked_on_the_driver() {
    assertThatThrownBy(() -> trainer().setRecipe("huge").checkedRecipe())
        .hasMessageContaining("recipe must be one of [small, paper")
        .hasMessageContaining("but is huge");
    assertThatThrownBy(() -> trainer().setRecipe("fast-subwords").checkedRecipe())
        .hasMessageContaining("but is fast-subwords");
    assertThatThrownBy(() -> trainer().setOption("batchSiez", 8).checkedRecipe())
        .hasMessageContaining("options has the unknown field 'batchSiez'")
        .hasMessageContaining("batchSize");
    assertThatThrownBy(() -> trainer().setOption("batchSize", 0).checkedRecipe())
        .hasMessage("batchSize must be at least 1, but is 0");
    assertThatThrownBy(() -> TrainingJob.sizes("1,2"))
        .hasMessage(
            "split must be three numbers of bytes, as in 90000000,5000000,5000000, but is '1,2'");
    assertThat(TrainingJob.sizes("30, 20,2")).containsExactly(30L, 20L, 2L);
  }

  @Test
  void the_corpus_is_the_file_that_the_data_frame_reads() {
    Configuration hadoop = new Configuration(false);
    assertThat(SharnnDistributedTrainer.file("file:///a/b%20o%25k.txt", hadoop))
        .isEqualTo("/a/b o%k.txt");
    assertThatThrownBy(() -> SharnnDistributedTrainer.file("file:///a/book.txt.gz", hadoop))
        .hasMessageContaining("must read a file without compression")
        .hasMessageEndingWith("but reads file:/a/book.txt.gz: decompress it");
    assertThatThrownBy(() -> SharnnDistributedTrainer.file("hdfs:///a/book.txt", hadoop))
        .hasMessageContaining("corpus must be on a disk that the hosts mount");
  }

  @Test
  void the_sums_of_a_model_are_copied_last() {
    assertThat(
            TrainingJob.sumsLast(
                Stream.of("m/SHA256SUMS", "m/model.safetensors", "m/README.md").map(Path::of)))
        .containsExactly(
            Path.of("m/README.md"), Path.of("m/model.safetensors"), Path.of("m/SHA256SUMS"));
  }

  @Test
  void a_copy_keeps_options_and_takes_others() {
    SharnnDistributedTrainer trainer = trainer().setNumWorkers(2).setModel("m");
    SharnnDistributedTrainer copy = trainer.copy(new ParamMap().put(trainer.numWorkers(), 3));
    assertThat(copy.getOrDefault(copy.numWorkers())).isEqualTo(3);
    assertThat(copy.getOrDefault(copy.model())).isEqualTo("m");
    assertThat(copy.params())
        .extracting(param -> param.name())
        .contains("corpus", "split", "recipe", "config", "options", "learningRate", "steps")
        .contains("interval", "outerRate", "outerMomentum", "checkpoints", "timeoutSeconds");
  }

  @Test
  void the_model_is_a_scorer() {
    StructType lines = new StructType().add("value", DataTypes.StringType);
    SharnnModel model = SharnnModel.trained("one", "/models/one", new SharnnModel().result());
    assertThat(model.transformSchema(lines).fieldNames()).contains("bits", "bitsPerByte");
    assertThat(trainer().transformSchema(lines)).isEqualTo(model.transformSchema(lines));
    SharnnModel copy = model.copy(new ParamMap());
    assertThat(copy.path()).isEqualTo("/models/one");
    SharnnGenerator generator = copy.generator();
    assertThat(generator.getOrDefault(generator.model())).isEqualTo("/models/one");
    assertThat(copy.evaluations()).isEmpty();
    assertThat(copy.steps()).isZero();
  }
}
