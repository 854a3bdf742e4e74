package io.github.sharnn.examples;

import ai.djl.Model;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListenerAdapter;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNBuilder;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Corpus;
import io.github.sharnn.train.Evaluation;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.LearningRateSchedule;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.SHARNNTrainer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code sharnn.jar train}: corpus in, model folder out. */
@Command(
    name = "train",
    description = "Train a model and save its best weights.",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false)
final class TrainCommand implements Callable<Integer> {

  private static final int REPORT_TEXT = 40; // bytes

  @Mixin private CorpusOptions corpus;

  @Mixin private DeviceOption device;

  @Option(names = "--output", paramLabel = "DIR", description = "A new folder for the model.")
  private Path output = Path.of("sharnn-model");

  @Option(
      names = "--metrics",
      paramLabel = "FILE",
      description =
          "A new file that gets a line of JSON after each step: BPC, learning rate, ... Default:"
              + " metrics.jsonl in --output.")
  private Path metrics;

  @Option(
      names = "--recipe",
      paramLabel = "NAME",
      converter = RecipeName.class,
      description = "Gives every setting below that is not given itself; one of the recipes below.")
  private Recipe recipe = Recipe.SMALL;

  @ArgGroup(heading = "How long, in one stage (one of; default: the recipe's stages):%n")
  private final BudgetOptions budget = new BudgetOptions();

  @Option(
      names = "--patience",
      description = "Evaluations in a row without a new best that end the last stage; 0 for never.")
  private Optional<Integer> patience;

  @Option(names = "--embedding-size", description = "Size C of embeddings, LSTMs and attention.")
  private Optional<Integer> embeddingSize;

  @Option(names = "--boom-size", description = "Inner size of the Boom, a multiple of C.")
  private Optional<Integer> boomSize;

  @Option(names = "--layers", description = "Number of blocks.")
  private Optional<Integer> layers;

  @Option(
      names = "--attention-layers",
      split = ",",
      arity = "0..1",
      fallbackValue = "",
      description = "Layers with attention, counted from 0, separated by commas; empty for none.")
  private int[] attentionLayers;

  @Option(names = "--memory-length", description = "Positions that attention sees.")
  private Optional<Integer> memoryLength;

  @Option(names = "--dropout", description = "Rate of every dropout.")
  private Optional<Float> dropout;

  @Option(names = "--batch-size", description = "Streams trained on side by side.")
  private Optional<Integer> batchSize;

  @Option(names = "--sequence-length", description = "Longest segment that gradients flow through.")
  private Optional<Integer> sequenceLength;

  @Option(names = "--learning-rate", description = "Highest learning rate of the first stage.")
  private Optional<Float> learningRate;

  @Option(names = "--warm-up", description = "Steps until the first stage's highest learning rate.")
  private Optional<Integer> warmUp;

  @Option(
      names = "--cosine",
      negatable = true,
      description = "Let the first stage's learning rate fall to 0 along half a cosine.")
  private Boolean cosine;

  @Option(names = "--clip-norm", description = "Largest global norm of the gradients.")
  private double clipNorm = 0.25;

  @Option(
      names = "--evaluation-interval",
      description = "Steps between evaluations; 0 for after each pass over the data.")
  private int evaluationInterval;

  @Option(
      names = "--evaluation-streams",
      description = "Streams of the validation and test parts. Default: the batch size.")
  private Optional<Integer> evaluationStreams;

  @Option(
      names = "--report-text",
      paramLabel = "TEXT",
      description =
          "What the report's samples go on from and its heat maps show the attention of, at most "
              + RunLog.LONGEST_TEXT
              + " bytes of UTF-8. Default: the validation part's first "
              + REPORT_TEXT
              + " bytes.")
  private String reportText;

  @Option(names = "--seed", description = "Decides weights, segment lengths and dropout.")
  private int seed = 42;

  private CommandSpec spec;

  /** Finds a recipe by the name that the help has for it. */
  static final class RecipeName implements ITypeConverter<Recipe> {

    @Override
    public Recipe convert(String name) {
      List<Recipe> recipes = List.of(Recipe.values());
      return recipes.stream()
          .filter(each -> each.toString().equals(name))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "expected one of %s, but was '%s'".formatted(recipes, name)));
    }
  }

  /** The three ways to say how long. */
  static final class BudgetOptions {

    @Option(names = "--epochs", description = "Passes over the training part.")
    private Integer epochs;

    @Option(names = "--steps", description = "Optimizer steps.")
    private Long steps;

    @Option(names = "--minutes", description = "Wall-clock time.")
    private Double minutes;

    Optional<Budget> budget() {
      if (steps != null) {
        return Optional.of(Budget.steps(steps));
      }
      if (minutes != null) {
        return Optional.of(Budget.time(Duration.ofMillis(Math.round(minutes * 60_000))));
      }
      return Optional.ofNullable(epochs).map(Budget::epochs);
    }
  }

  @Spec
  void listRecipes(CommandSpec spec) {
    this.spec = spec;
    List<String> lines = new ArrayList<>(List.of("", "Recipes:"));
    for (Recipe each : Recipe.values()) {
      lines.add("  %-20s%s".formatted(each, each.description()));
    }
    spec.usageMessage().footer(lines.toArray(String[]::new));
  }

  @Override
  public Integer call() throws Exception {
    checkNew(output, "--output");
    checkNew(metrics, "--metrics");
    SHARNN block = block();
    List<Recipe.Stage> stages = stages();
    Corpus data = corpus.open();
    System.out.println(data);
    System.out.println(block.config());
    System.out.println(recipe + ": " + stages);
    try (Model model = block.newModel("sharnn", device.device());
        RunLog log = log(model, data, stages);
        ProgressLine progress = new ProgressLine(System.out)) {
      SHARNNTrainer.Builder trainer =
          trainer(model).listeners(new PrintHeader(model, log)).onStep(progress.andThen(log));
      List<FitResult> results = Recipe.fit(trainer, data, stages);
      progress.end();
      int streams = evaluationStreams.or(() -> batchSize).orElse(recipe.batchSize());
      Evaluation test =
          Evaluation.of(
              model, data.test(), streams, sequenceLength.orElse(recipe.sequenceLength()));
      model.save(output, null);
      log.test(test);
      for (int i = 0; i < results.size(); i++) {
        System.out.printf(
            Locale.ROOT,
            "best%s: step %d, valid %.4f BPC%n",
            results.size() == 1 ? "" : " of stage " + (i + 1),
            results.get(i).best().step(),
            results.get(i).best().validationBpc());
      }
      System.out.printf(
          Locale.ROOT,
          "test %.4f BPC (%,d bytes, %d streams)%nsaved in %s, with a report.html%n",
          test.bitsPerCharacter(),
          test.predictedBytes(),
          test.streams(),
          output);
    }
    return 0;
  }

  private static void checkNew(Path path, String option) throws FileAlreadyExistsException {
    if (path != null && Files.exists(path)) {
      throw new FileAlreadyExistsException(path.toString(), null, option);
    }
  }

  private RunLog log(Model model, Corpus data, List<Recipe.Stage> stages) {
    byte[] text = new byte[(int) Math.min(REPORT_TEXT, data.validation().length())];
    if (reportText == null) {
      data.validation().read(0, text);
    } else {
      text = RunLog.bytes(reportText, "--report-text");
    }
    Map<String, Object> training = new LinkedHashMap<>();
    training.put("recipe", recipe.toString());
    training.put("stages", stages.toString());
    training.put("batchSize", batchSize.orElse(recipe.batchSize()));
    training.put("sequenceLength", sequenceLength.orElse(recipe.sequenceLength()));
    training.put("clipNorm", clipNorm);
    training.put("evaluationInterval", evaluationInterval);
    training.put("seed", seed);
    Path file = metrics == null ? output.resolve(RunMetrics.FILE) : metrics;
    RunLog log = new RunLog(file, output, model, text, training);
    log.provenance("started", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    log.provenance("command", String.join(" ", spec.commandLine().getParseResult().originalArgs()));
    log.provenance("corpus", data.toString());
    return log;
  }

  private SHARNN block() {
    SHARNNBuilder builder = recipe.model();
    embeddingSize.ifPresent(builder::embeddingSize);
    boomSize.ifPresent(builder::boomSize);
    layers.ifPresent(builder::layers);
    memoryLength.ifPresent(builder::memoryLength);
    dropout.ifPresent(builder::dropouts);
    if (attentionLayers != null) {
      builder.attentionLayers(attentionLayers);
    }
    return builder.build();
  }

  private SHARNNTrainer.Builder trainer(Model model) {
    SHARNNTrainer.Builder builder =
        recipe.trainer(model).clipNorm(clipNorm).evaluationInterval(evaluationInterval).seed(seed);
    batchSize.ifPresent(builder::batchSize);
    sequenceLength.ifPresent(builder::sequenceLength);
    evaluationStreams.ifPresent(builder::evaluationStreams);
    return builder;
  }

  /** The recipe's stages, or the first alone where a budget is given. */
  private List<Recipe.Stage> stages() {
    List<Recipe.Stage> stages = new ArrayList<>(recipe.stages());
    LearningRateSchedule rate = stages.get(0).learningRate();
    rate = learningRate.map(rate::withPeak).orElse(rate);
    rate = warmUp.map(rate::warmUp).orElse(rate);
    if (cosine != null) {
      rate = cosine ? rate.cosine() : rate.cosine(rate.peak());
    }
    Optional<Budget> limit = budget.budget();
    if (limit.isPresent()) {
      stages.subList(1, stages.size()).clear();
    }
    stages.set(0, new Recipe.Stage(rate, limit.orElse(stages.get(0).budget())));
    if (patience.isPresent()) {
      Recipe.Stage last = stages.remove(stages.size() - 1);
      stages.add(new Recipe.Stage(last.learningRate(), last.budget().patience(patience.get())));
    }
    return stages;
  }

  /** Prints the header once weights are there to be counted. */
  private static final class PrintHeader extends TrainingListenerAdapter {

    private final Model model;
    private final RunLog log;
    private boolean printed;

    PrintHeader(Model model, RunLog log) {
      this.model = model;
      this.log = log;
    }

    @Override
    public void onTrainingBegin(Trainer trainer) {
      if (!printed) { // in an earlier stage
        List<String> lines = RunHeader.of(model, trainer.getModel().getDataType());
        lines.forEach(System.out::println);
        log.provenance("header", String.join("; ", lines));
        printed = true;
      }
    }
  }
}
