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
import io.github.sharnn.train.SHARNNTrainer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code sharnn.jar train}: corpus in, model folder out. */
@Command(
    name = "train",
    description = "Train a model and save its best weights.",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false)
final class TrainCommand implements Callable<Integer> {

  @Mixin private CorpusOptions corpus;

  @Mixin private DeviceOption device;

  @Option(names = "--output", paramLabel = "DIR", description = "A new folder for the model.")
  private Path output = Path.of("sharnn-model");

  @ArgGroup(heading = "How long (one of):%n")
  private final BudgetOptions budget = new BudgetOptions();

  @Option(names = "--embedding-size", description = "Size C of embeddings, LSTMs and attention.")
  private int embeddingSize = 192;

  @Option(names = "--boom-size", description = "Inner size of the Boom, a multiple of C.")
  private int boomSize = 768;

  @Option(names = "--layers", description = "Number of blocks.")
  private int layers = 2;

  @Option(
      names = "--attention-layers",
      split = ",",
      arity = "0..1",
      fallbackValue = "",
      description =
          "Layers with attention, counted from 0, separated by commas; empty for none. Default: the"
              + " second-to-last.")
  private int[] attentionLayers;

  @Option(names = "--memory-length", description = "Positions that attention sees.")
  private int memoryLength = 256;

  @Option(names = "--dropout", description = "Rate of every dropout.")
  private float dropout = 0.1f;

  @Option(names = "--batch-size", description = "Streams trained on side by side.")
  private int batchSize = 16;

  @Option(names = "--sequence-length", description = "Longest segment that gradients flow through.")
  private int sequenceLength = 64;

  @Option(names = "--learning-rate", description = "Highest learning rate.")
  private float learningRate = 3e-3f;

  @Option(names = "--warm-up", description = "Steps until the highest learning rate.")
  private int warmUp = 50;

  @Option(names = "--clip-norm", description = "Largest global norm of the gradients.")
  private double clipNorm = 0.25;

  @Option(
      names = "--evaluation-interval",
      description = "Steps between evaluations; 0 for after each pass over the data.")
  private int evaluationInterval;

  @Option(names = "--seed", description = "Decides weights, segment lengths and dropout.")
  private int seed = 42;

  /** The three ways to say how long. */
  static final class BudgetOptions {

    @Option(names = "--epochs", description = "Passes over the training part. Default: 1.")
    private Integer epochs;

    @Option(names = "--steps", description = "Optimizer steps.")
    private Long steps;

    @Option(names = "--minutes", description = "Wall-clock time.")
    private Double minutes;

    Budget budget() {
      if (steps != null) {
        return Budget.steps(steps);
      }
      if (minutes != null) {
        return Budget.time(Duration.ofMillis(Math.round(minutes * 60_000)));
      }
      return Budget.epochs(epochs == null ? 1 : epochs);
    }
  }

  @Override
  public Integer call() throws Exception {
    if (Files.exists(output)) {
      throw new FileAlreadyExistsException(output.toString());
    }
    SHARNNBuilder builder =
        SHARNN
            .builder()
            .embeddingSize(embeddingSize)
            .boomSize(boomSize)
            .layers(layers)
            .memoryLength(memoryLength)
            .dropouts(dropout);
    if (attentionLayers != null) {
      builder.attentionLayers(attentionLayers);
    }
    SHARNN block = builder.build();
    Budget limit = budget.budget();
    Corpus data = corpus.open();
    System.out.println(data);
    System.out.println(block.config());
    try (Model model = block.newModel("sharnn", device.device())) {
      FitResult result =
          SHARNNTrainer.builder(model)
              .batchSize(batchSize)
              .sequenceLength(sequenceLength)
              .learningRate(LearningRateSchedule.peak(learningRate).warmUp(warmUp))
              .clipNorm(clipNorm)
              .evaluationInterval(evaluationInterval)
              .seed(seed)
              .listeners(new PrintHeader(model))
              .onStep(new ProgressLine(System.out))
              .build()
              .fit(data, limit);
      Evaluation test = Evaluation.of(model, data.test(), batchSize, sequenceLength);
      model.save(output, null);
      System.out.printf(
          Locale.ROOT,
          "best: step %d, valid %.4f BPC; test %.4f BPC (%,d bytes, %d streams)%nsaved in %s%n",
          result.best().step(),
          result.best().validationBpc(),
          test.bitsPerCharacter(),
          test.predictedBytes(),
          test.streams(),
          output);
    }
    return 0;
  }

  /** Prints the header once weights are there to be counted. */
  private static final class PrintHeader extends TrainingListenerAdapter {

    private final Model model;

    PrintHeader(Model model) {
      this.model = model;
    }

    @Override
    public void onTrainingBegin(Trainer trainer) {
      RunHeader.of(model, trainer.getModel().getDataType()).forEach(System.out::println);
    }
  }
}
