package io.github.sharnn.train;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * A model with the options and the stages of its training. {@link #model} and {@link #trainer}
 * return a new builder at each call.
 *
 * <pre>{@code
 * Recipe recipe = Recipe.PAPER;
 * try (Model model = recipe.model().build().newModel("enwik8")) {
 *   List<FitResult> results =
 *       recipe.trainer(model).evaluationStreams(64).build().fit(corpus, recipe.stages());
 *   model.save(Path.of("enwik8-model"), null);
 * }
 * }</pre>
 *
 * <p>The recipes with PAPER in the name reproduce the paper's three results on enwik8 (Merity,
 * arXiv:1911.11423): C 1024, H 4096, 4 layers, memory 5000, dropouts 0.1, segments of up to 1024.
 * They train 32 epochs at 2e-3 after 800 steps of warm-up. A second stage starts from the best
 * weights with a new warm-up to 1e-3 and new moments. The stage ends after 3 evaluations in a row
 * without a new best, or after 32 epochs.
 */
public enum Recipe {
  /**
   * A small model, trained by Muon in minutes on a laptop's CPU: C 192, 2 layers, memory 256, no
   * dropout, 1 epoch.
   */
  SMALL(
      "a small model, for minutes on a laptop's CPU",
      () ->
          SHARNN.builder().embeddingSize(192).boomSize(768).layers(2).memoryLength(256).dropouts(0),
      options ->
          options
              .batchSize(16)
              .sequenceLength(64)
              .optimizer(OptimizerSettings.of(OptimizerSettings.Type.MUON).iterations(3)),
      List.of(
          new TrainingStage(
              LearningRateSchedule.peak(8e-3f).warmUp(50).linear(), Budget.epochs(1)))),

  /** The paper's model with one head, in the second-to-last layer; batch 16. */
  PAPER("the paper's model, one head: 54M parameters, two stages", SHARNN::builder, 16),

  /** The paper's model with a head in each of its four layers; batch 8, to save memory. */
  PAPER_FOUR_HEADS(
      "the same with a head in every layer: 63M parameters",
      () -> SHARNN.builder().attentionLayers(0, 1, 2, 3),
      8),

  /** The paper's model without attention; batch 16. */
  PAPER_NO_ATTENTION(
      "the same without attention: 51M parameters", () -> SHARNN.builder().attentionLayers(), 16),

  /**
   * The paper's model with one head, trained by Muon for the lowest validation figure after 500
   * seconds on one GPU: batch 128, short segments, memory 2048, no dropout, a learning rate that
   * falls to 0, averaged weights.
   */
  FAST(
      "the paper's model, for the lowest BPC after 500 s on a GPU",
      () -> SHARNN.builder().memoryLength(2048).dropouts(0),
      options -> fiveHundredSeconds(options, 0.3f),
      fiveHundredSeconds()),

  /**
   * {@link #FAST} for {@link #subwords} in place of bytes. A token holds about four bytes, so the
   * run passes over a text more often, and has dropout 0.1 and twice the weight decay.
   */
  FAST_SUBWORDS(
      "the same for 8,192 subwords",
      () -> SHARNN.builder().boomSize(3072).memoryLength(2048).dropouts(0.1f),
      options -> fiveHundredSeconds(options, 0.6f),
      fiveHundredSeconds()) {
    @Override
    public int subwords() {
      return 8192;
    }
  };

  private final String description;
  private final Supplier<SHARNNConfig.Builder> model;
  private final Consumer<TrainingOptions.Builder<?>> options;
  private final List<TrainingStage> stages;

  /** Creates a recipe with the paper's training. */
  Recipe(String description, Supplier<SHARNNConfig.Builder> model, int batchSize) {
    this(
        description,
        model,
        options -> options.batchSize(batchSize).zeroStateProbability(0),
        TrainingStage.PAPER);
  }

  Recipe(
      String description,
      Supplier<SHARNNConfig.Builder> model,
      Consumer<TrainingOptions.Builder<?>> options,
      List<TrainingStage> stages) {
    this.description = description;
    this.model = model;
    this.options = options;
    this.stages = stages;
  }

  private static void fiveHundredSeconds(TrainingOptions.Builder<?> options, float weightDecay) {
    options
        .batchSize(128)
        .sequenceLength(256)
        .optimizer(
            OptimizerSettings.of(OptimizerSettings.Type.MUON)
                .weightDecay(weightDecay)
                .embeddingRate(0.48f)
                .restRate(1.6f))
        .clipNorm(1)
        .averageDecay(0.998);
  }

  private static List<TrainingStage> fiveHundredSeconds() {
    return List.of(
        new TrainingStage(
            LearningRateSchedule.peak(3e-3f).warmUp(300).linear(),
            Budget.time(Duration.ofSeconds(500))));
  }

  /**
   * {@return the recipe for a device: {@link #FAST} for a CUDA GPU, {@link #SMALL} for any other}
   *
   * @param device a device
   */
  public static Recipe of(Device device) {
    return device.isGpu() ? FAST : SMALL;
  }

  /** {@return a description of one line} */
  public String description() {
    return description;
  }

  /** {@return a new builder of this recipe's model} */
  public SHARNNConfig.Builder model() {
    return model.get();
  }

  /**
   * {@return the number of subwords that are the tokens, or 0 for bytes} Train them on the training
   * part of the corpus, and give them to {@link #model} and {@link
   * io.github.sharnn.train.data.Corpus#withVocabulary}.
   */
  public int subwords() {
    return 0;
  }

  /**
   * Starts a trainer with this recipe's options and the learning rate of its first stage. The
   * options that the recipe does not set are those of {@link SHARNNTrainer#builder}.
   *
   * @param model a DJL model with a {@link SHARNN}, of this recipe or not
   * @return a new builder with this recipe's options
   * @throws IllegalArgumentException if the model holds another block
   */
  public SHARNNTrainer.Builder trainer(Model model) {
    SHARNNTrainer.Builder builder =
        SHARNNTrainer.builder(model).defaultLearningRate(stages.get(0).learningRate());
    options.accept(builder);
    return builder;
  }

  /**
   * {@return the options of the training}
   *
   * @param precision FLOAT32 or FLOAT16
   */
  public TrainingOptions options(DataType precision) {
    TrainingOptions.Builder<?> builder = new TrainingOptions.Builder<SHARNNTrainer.Builder>();
    options.accept(builder);
    return builder.options(precision);
  }

  /** {@return the optimizer of the training} */
  public OptimizerSettings optimizer() {
    return options(DataType.FLOAT32).optimizer();
  }

  /** {@return the stages of the training, at least one} */
  public List<TrainingStage> stages() {
    return stages;
  }

  /** Returns the name on the command line, as {@code paper-four-heads}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
