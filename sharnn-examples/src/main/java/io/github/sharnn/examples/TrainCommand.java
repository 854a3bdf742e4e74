package io.github.sharnn.examples;

import ai.djl.Model;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListenerAdapter;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.Corpus;
import io.github.sharnn.train.Evaluation;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.MetricsFile;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.train.TrainingStoppedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

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

  @Option(
      names = "--output",
      paramLabel = "DIR",
      description = "A new folder for the model, metrics and checkpoints.")
  private Path output = Path.of("sharnn-model");

  @Option(
      names = "--metrics",
      paramLabel = "FILE",
      description =
          "A new file that gets a line of JSON after each step: BPC, learning rate, ... Default:"
              + " metrics.jsonl in --output.")
  private Path metrics;

  @Mixin private CheckpointOptions checkpoints;

  @Mixin private TrainSettings settings;

  private CommandSpec spec;

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
    Optional<Checkpoint> resumed = checkpoints.resumed();
    Optional<Checkpoint> from = checkpoints.from();
    if (resumed.isPresent()) {
      refuse("--output", "--recipe", "--from");
      output = resumed.get().folder().toAbsolutePath().getParent();
    } else {
      checkNew(output, "--output");
      checkNew(metrics, "--metrics");
    }
    Optional<Checkpoint> base = resumed.or(() -> from);
    Optional<TrainingOptions> options = resumed.map(Checkpoint::options);
    SHARNN block = settings.block(base.map(Checkpoint::config));
    List<Recipe.Stage> stages = settings.stages(resumed);
    Corpus data =
        resumed.isPresent() && !given("--corpus", "--split", "--enwik8")
            ? resumed.get().corpus()
            : corpus.open();
    System.out.println(data);
    System.out.println(block.config());
    System.out.println(
        resumed.map(c -> "going on from " + c.folder()).orElse(settings.recipe().toString())
            + ": "
            + stages);
    Path file = metrics == null ? output.resolve("metrics.jsonl") : metrics;
    try (Model model = block.newModel("sharnn", device.device());
        MetricsFile lines =
            resumed.isPresent()
                ? MetricsFile.goingOn(file, resumed.get())
                : new MetricsFile(file)) {
      if (from.isPresent()) {
        from.get().readBest(model);
      }
      ProgressLine progress = new ProgressLine(System.out);
      List<FitResult> results;
      try (StopSignals signals = new StopSignals()) {
        SHARNNTrainer.Builder trainer =
            settings
                .trainer(model, options)
                .listeners(new PrintHeader(model))
                .checkpoints(checkpoints.policy(output, resumed))
                .stopWhen(signals)
                .onStep(progress.andThen(lines));
        try {
          results = Recipe.fit(trainer, data, stages);
        } catch (TrainingStoppedException e) {
          progress.end();
          System.out.printf(
              "%s%ngo on with: java -jar sharnn.jar train --resume %s%n", e.getMessage(), output);
          return signals.exitCode();
        }
      }
      progress.end();
      Evaluation test =
          Evaluation.of(
              model,
              data.test(),
              settings.evaluationStreams(options),
              settings.sequenceLength(options));
      model.save(output, null);
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
          "test %.4f BPC (%,d bytes, %d streams)%nsaved in %s%n",
          test.bitsPerCharacter(),
          test.predictedBytes(),
          test.streams(),
          output);
    }
    return 0;
  }

  /** Refuses options that a run which goes on has already. */
  private void refuse(String... names) {
    for (String name : names) {
      if (given(name)) {
        throw new ParameterException(
            spec.commandLine(), "%s and --resume exclude each other".formatted(name));
      }
    }
  }

  private boolean given(String... names) {
    ParseResult parsed = spec.commandLine().getParseResult();
    return List.of(names).stream().anyMatch(parsed::hasMatchedOption);
  }

  private static void checkNew(Path path, String option) throws FileAlreadyExistsException {
    if (path != null && Files.exists(path)) {
      throw new FileAlreadyExistsException(path.toString(), null, option);
    }
  }

  /** Prints the header once weights are there to be counted. */
  private static final class PrintHeader extends TrainingListenerAdapter {

    private final Model model;
    private boolean printed;

    PrintHeader(Model model) {
      this.model = model;
    }

    @Override
    public void onTrainingBegin(Trainer trainer) {
      if (!printed) { // in an earlier stage
        RunHeader.of(model, trainer.getModel().getDataType()).forEach(System.out::println);
        printed = true;
      }
    }
  }
}
