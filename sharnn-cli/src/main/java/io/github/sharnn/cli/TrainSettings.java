package io.github.sharnn.cli;

import ai.djl.Device;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.cli.options.ExtraOptions;
import io.github.sharnn.cli.options.KernelsOption;
import io.github.sharnn.cli.options.Minutes;
import io.github.sharnn.cli.options.OptimizerOptions;
import io.github.sharnn.cli.options.RateOptions;
import io.github.sharnn.cli.options.SizeOptions;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.TrainingStage;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options of {@code train} that override those of the recipe or of the run to resume. */
final class TrainSettings {

  @Option(
      names = "--recipe",
      paramLabel = "NAME",
      description =
          "The recipe, one of the list below, sets every option that is not given. Default: fast on a"
              + " CUDA GPU, small on any other device.")
  private @Nullable Recipe recipe;

  @ArgGroup(heading = "Budget of a single stage (give one; default: the recipe's stages):%n")
  private final BudgetOptions budget = new BudgetOptions();

  @Option(
      names = "--patience",
      description =
          "Early stopping: end the last stage after this many evaluations in a row without a new"
              + " best; 0 for never.")
  private Optional<Integer> patience;

  @Mixin private SizeOptions sizes;

  @Option(names = "--dropout", description = "Rate of every dropout.")
  private Optional<Float> dropout;

  @Option(names = "--batch-size", description = "Streams trained on side by side.")
  private Optional<Integer> batchSize;

  @Option(names = "--sequence-length", description = "Longest segment that gradients flow through.")
  private Optional<Integer> sequenceLength;

  @Option(
      names = "--clip-norm",
      description =
          "Largest global norm of the gradients. Default: 0.25; 1 in fast and fast-subwords.")
  private Optional<Double> clipNorm;

  @Option(
      names = "--evaluation-interval",
      description = "Steps between evaluations; 0, the default, for after each pass over the data.")
  private Optional<Integer> evaluationInterval;

  @Option(
      names = "--evaluation-streams",
      description = "Streams of the validation and test parts. Default: the batch size.")
  private Optional<Integer> evaluationStreams;

  @Option(
      names = "--seed",
      description = "Seed of weights, segment lengths and dropout. Default: 42.")
  private Optional<Integer> seed;

  @ArgGroup(
      exclusive = false,
      heading = "Learning rate of the first stage (default: the recipe's):%n")
  private final RateOptions rate = new RateOptions();

  @Mixin private KernelsOption kernels;

  @ArgGroup(exclusive = false, heading = "Optimizer (default: the recipe's):%n")
  private final OptimizerOptions optimizer = new OptimizerOptions();

  @ArgGroup(
      exclusive = false,
      heading = "Off unless given, or on in the recipe or the resumed run:%n")
  private final ExtraOptions extras = new ExtraOptions();

  /** The three ways to give a budget. */
  static final class BudgetOptions {

    @Option(names = "--epochs", description = "Passes over the training part.")
    private Integer epochs;

    @Option(names = "--steps", description = "Optimizer steps.")
    private Long steps;

    @Option(
        names = "--minutes",
        paramLabel = "MINUTES",
        converter = Minutes.class,
        description = "Wall-clock time.")
    private Duration minutes;

    Optional<Budget> budget() {
      if (steps != null) {
        return Optional.of(Budget.steps(steps));
      }
      if (minutes != null) {
        return Optional.of(Budget.time(minutes));
      }
      return Optional.ofNullable(epochs).map(Budget::epochs);
    }
  }

  /** Takes the recipe for a device if none is given. */
  void byDevice(Device device) {
    recipe = recipe == null ? Recipe.of(device) : recipe;
  }

  Recipe recipe() {
    return recipe;
  }

  /** Checks the options before a vocabulary is trained, which may take long. */
  void check(Optional<SHARNNConfig> config, Optional<Checkpoint> resumed) {
    SHARNNConfig.Builder builder = sized(config);
    sizes.checkSplits(builder);
    try (Model model = builder.build().newModel("options", Device.cpu())) {
      trainer(model, resumed).build();
    }
  }

  /** Builds the model from the options of another one, or of the recipe. */
  SHARNN block(Optional<SHARNNConfig> base, TextVocabulary vocabulary) {
    SHARNNConfig.Builder builder = sized(base);
    if (vocabulary != TextVocabulary.bytes()) { // a byte model may have fewer than 256
      builder.vocabulary(vocabulary);
    }
    sizes.applySplits(builder);
    return builder.build();
  }

  private SHARNNConfig.Builder sized(Optional<SHARNNConfig> base) {
    SHARNNConfig.Builder builder = base.map(SHARNNConfig::toBuilder).orElseGet(recipe::model);
    sizes.apply(builder);
    dropout.ifPresent(builder::dropouts);
    return extras.onto(builder);
  }

  /** Starts a trainer with the options of the run to resume, or of the recipe. */
  SHARNNTrainer.Builder trainer(Model model, Optional<Checkpoint> resumed) {
    SHARNNTrainer.Builder builder =
        resumed.map(run -> run.trainer(model)).orElseGet(() -> recipe.trainer(model));
    clipNorm.ifPresent(builder::clipNorm);
    evaluationInterval.ifPresent(builder::evaluationInterval);
    seed.ifPresent(builder::seed);
    batchSize.ifPresent(builder::batchSize);
    sequenceLength.ifPresent(builder::sequenceLength);
    evaluationStreams.ifPresent(builder::evaluationStreams);
    extras.apply(builder);
    Kernels.Use use =
        kernels.or(resumed.map(run -> run.options().kernels()).orElse(Kernels.Use.AUTO));
    builder.kernels(use);
    // the test and the report come after training, in FLOAT32, which kernels can't be required for
    SHARNN.of(model).kernels(use == Kernels.Use.OFF ? use : Kernels.Use.AUTO);
    return builder.optimizer(
        optimizer.onto(resumed.map(run -> run.options().optimizer()).orElse(recipe.optimizer())));
  }

  /**
   * Returns the stages of the recipe, or of the run to resume. The given options change the first
   * stage, or the stage that the run is in. A budget makes that stage the last.
   */
  List<TrainingStage> stages(Optional<Checkpoint> resumed) {
    List<TrainingStage> stages =
        new ArrayList<>(resumed.map(Checkpoint::stages).orElse(recipe.stages()));
    int current = resumed.map(Checkpoint::stage).orElse(0);
    Budget old = stages.get(current).budget();
    Optional<Budget> limit = budget.budget();
    if (limit.isPresent()) {
      stages.subList(current + 1, stages.size()).clear();
    }
    Budget now = limit.map(b -> resumed.isPresent() ? b.patience(old.patience()) : b).orElse(old);
    Optional<LearningRateSchedule> schedule =
        Optional.ofNullable(stages.get(current).learningRate());
    stages.set(current, new TrainingStage(rate.onto(schedule), now));
    if (patience.isPresent()) {
      TrainingStage last = stages.remove(stages.size() - 1);
      stages.add(new TrainingStage(last.learningRate(), last.budget().patience(patience.get())));
    }
    return stages;
  }
}
