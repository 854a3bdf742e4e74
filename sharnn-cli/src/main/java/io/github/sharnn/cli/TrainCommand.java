package io.github.sharnn.cli;

import static com.google.common.base.Strings.lenientFormat;
import static io.github.sharnn.cli.progress.Texts.format;
import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import io.github.sharnn.ModelCard;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.StandardOutput.LostOutputException;
import io.github.sharnn.cli.options.CheckpointOptions;
import io.github.sharnn.cli.options.CorpusOptions;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.cli.options.FineTuningOptions;
import io.github.sharnn.cli.options.KeptOptions;
import io.github.sharnn.cli.options.StartingModel;
import io.github.sharnn.cli.options.VocabularyOptions;
import io.github.sharnn.cli.options.WatchOption;
import io.github.sharnn.cli.progress.ByteProgress;
import io.github.sharnn.cli.report.Figures;
import io.github.sharnn.cli.report.RunIdentity;
import io.github.sharnn.cli.report.RunLog;
import io.github.sharnn.cli.report.RunMetrics;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.MetricsFile;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.train.TrainingStage;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.progress.ProgressLine;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** The command {@code train}: corpus in, model folder out. */
@Command(name = "train", description = "Train a model and save its best weights.")
final class TrainCommand implements Callable<Integer> {

  private static final int REPORT_TEXT = 40; // bytes
  private static final String RECIPE = "--recipe";

  @Mixin private CorpusOptions corpus;

  @Mixin private VocabularyOptions vocabulary;

  @Mixin private DeviceOption device;

  @Option(
      names = "--output",
      paramLabel = "DIR",
      description = "A new folder for the model, metrics, report and checkpoints.")
  private Path output = Path.of("sharnn-model");

  @Option(
      names = "--metrics",
      paramLabel = "FILE",
      description =
          "A new file that gets a line of JSON after each step: BPC, learning rate, ... Default:"
              + " metrics.jsonl in --output.")
  private Path metrics;

  @Option(
      names = "--report-text",
      paramLabel = "TEXT",
      parameterConsumer = Arguments.Text.class,
      description =
          "A prompt for the report's samples and heat maps of attention, at most "
              + RunLog.LONGEST_TEXT
              + " bytes of UTF-8. Default: the validation part's first "
              + REPORT_TEXT
              + " bytes.")
  private String reportText;

  @Mixin private CheckpointOptions checkpoints;

  @Mixin private FineTuningOptions fineTuning;

  @Mixin private TrainSettings settings;

  @Mixin private WatchOption watch;

  private CommandSpec spec;
  private Map<String, String> program = Map.of();
  private RunIdentity identity;
  private Optional<Checkpoint> resumed = Optional.empty();

  @Spec
  void listRecipes(CommandSpec spec) {
    this.spec = spec;
    List<String> lines = new ArrayList<>(List.of("", "Recipes:"));
    for (Recipe each : Recipe.values()) {
      lines.add(format("  %-20s%s", each, each.description()));
    }
    spec.usageMessage().footer(lines.toArray(String[]::new));
  }

  @Override
  public Integer call() throws Exception {
    resumed = checkpoints.resumed();
    Map<String, String> kept = resumed.map(run -> run.policy().program()).orElseGet(Map::of);
    if (resumed.isPresent()) {
      KeptOptions.restore(spec, kept);
    }
    Optional<StartingModel> from = fineTuning.from();
    if (resumed.isPresent()) {
      reject(
          "--resume",
          "--output",
          RECIPE,
          FineTuningOptions.FROM,
          "--freeze",
          "--old-corpus",
          "--old-share");
      output = resumed.get().folder().toAbsolutePath().getParent();
    } else {
      Sharnn.checkNew(output, "--output");
    }
    identity = RunIdentity.of(kept, output);
    if (metrics != null && !given("--metrics")) {
      metrics = keptMetrics(output.resolve(metrics));
    } else if (metrics != null && resumed.isEmpty()) {
      Sharnn.checkNew(metrics, "--metrics");
    }
    Path run = output.toAbsolutePath().normalize(); // which the run creates
    if (metrics != null && !run.equals(metrics.toAbsolutePath().normalize().getParent())) {
      Sharnn.checkFolder(metrics, "--metrics");
    }
    program = KeptOptions.merge(spec, output, kept);
    if (resumed.isPresent()) {
      KeptOptions.changes(kept, program).forEach(System.out::println);
    }
    program.put(RunIdentity.KEPT, identity.id());
    Optional<StartingModel> base =
        resumed.isPresent() ? Optional.of(StartingModel.of(resumed.get())) : from;
    if (base.isPresent()) {
      String beside = resumed.isPresent() ? "--resume" : FineTuningOptions.FROM;
      reject(beside, "--vocabulary", "--minimum-count");
    }
    Device trainingDevice =
        device.device(resumed.map(Checkpoint::device).orElse(DeviceOption.DEFAULT));
    settings.byDevice(trainingDevice);
    if (resumed.isEmpty()) {
      program.put(RECIPE, settings.recipe().toString());
    }
    List<TrainingStage> stages = settings.stages(resumed);
    fineTuning.check(base);
    settings.check(base.map(StartingModel::config), resumed);
    Corpus bytes = openCorpus();
    TextVocabulary tokens =
        base.isPresent() ? base.get().vocabulary() : vocabulary.of(bytes, settings.recipe());
    Corpus data = bytes.withVocabulary(tokens);
    SHARNN block = settings.block(base.map(StartingModel::config), tokens);
    System.out.println(data);
    System.out.println(block.config());
    String recipe = settings.recipe() + (given(RECIPE) ? "" : ", the default on this device");
    System.out.println(resumed.map(c -> "resuming " + c.folder()).orElse(recipe) + ": " + stages);
    try (Model model =
        from.isPresent()
            ? from.get().model(block, trainingDevice)
            : block.newModel("sharnn", trainingDevice)) {
      fineTuning.freeze(SHARNN.of(model), kept);
      return train(model, data, stages);
    }
  }

  /** Opens the given corpus, or that of the resumed run; a moved one is split as it was. */
  private Corpus openCorpus() throws IOException {
    if (resumed.isEmpty()
        || given("--split", "--enwik8", "--documents", "--separator", "--split-by")) {
      return corpus.open();
    }
    return corpus.reopen(resumed.get());
  }

  /** Returns the metrics file that a checkpoint names, or null for the one in the run's folder. */
  private @Nullable Path keptMetrics(Path file) throws IOException {
    Optional<Path> found = identity.keptMetrics(file);
    if (found.isEmpty()) {
      print(
          "the run's metrics file %s is not there any more: the metrics go into %s%n",
          file, output.resolve(RunMetrics.FILE));
    }
    return found.orElse(null);
  }

  private int train(Model model, Corpus data, List<TrainingStage> stages) throws Exception {
    SHARNNTrainer.Builder builder =
        settings.trainer(model, resumed).checkpoints(checkpoints.policy(output, resumed, program));
    SHARNNTrainer checked = builder.build();
    checked.check(data); // of a mixture, only the training part differs, and it is longer
    TrainingOptions options = checked.options();
    System.out.println("options: " + options);
    try (RunLog log = log(model, data, stages, options);
        ProgressLine progress = new ProgressLine(System.out, ByteProgress.terminalWidth())) {
      watch.serve(log);
      Corpus text = fineTuning.mix(data, output, log::lockNew);
      log.provenance("corpus", text.toString());
      List<FitResult> results;
      try (StopSignals signals = new StopSignals()) {
        SHARNNTrainer trainer =
            builder
                .listeners(printHeader(model, log))
                .stopWhen(() -> signals.getAsBoolean() || System.out.checkError())
                .onStep(report -> show(progress, report))
                .onStep(log)
                .build();
        results = trainer.fit(text, stages);
        FitResult last = results.get(results.size() - 1);
        if (!last.isComplete()) {
          progress.end();
          PrintStream out = System.out.checkError() ? System.err : System.out;
          out.printf(
              Locale.ROOT,
              "training stopped after step %d; saved in %s%n"
                  + "resume with: java -jar sharnn.jar train --resume %s%n",
              last.last().step(),
              last.checkpoint(),
              output);
          return signals.exitCode();
        }
      }
      progress.end();
      Evaluation test =
          Evaluation.of(
              model,
              text.test(),
              new Evaluation.Settings(options.evaluationStreams(), options.sequenceLength()));
      double validationBpc = results.get(results.size() - 1).best().validationBpc();
      model.setProperty(ModelCard.DATASET, text.name());
      model.setProperty(ModelCard.VALIDATION_BITS_PER_BYTE, String.valueOf(validationBpc));
      model.setProperty(ModelCard.TEST_BITS_PER_BYTE, String.valueOf(test.bitsPerCharacter()));
      Path saved = log.hasFolder() ? output : rescue();
      model.save(saved, null);
      log.test(test);
      for (int i = 0; i < results.size(); i++) {
        print(
            "best%s: step %d, valid %.4f BPC%n",
            results.size() == 1 ? "" : " of stage " + (i + 1),
            results.get(i).best().step(),
            results.get(i).best().validationBpc());
      }
      print(
          "test %.4f BPC (%,d bytes, %d streams)%nsaved in %s%n",
          test.bitsPerCharacter(), test.predictedBytes(), test.settings().streams(), saved);
      if (data.vocabulary() != TextVocabulary.bytes()) {
        System.out.println(Figures.perplexities(test));
      }
      if (!saved.equals(output)) {
        throw new IOException(
            lenientFormat(
                "the folder %s was deleted, moved or replaced during the run: its checkpoints, metrics"
                    + " and report are lost unless it was moved, and the trained model alone is in %s",
                output, saved));
      }
    }
    return 0;
  }

  /** Returns a new folder for the model of a run whose folder is gone. */
  private Path rescue() {
    String name = output.toAbsolutePath().normalize().getFileName() + "-rescued";
    Path folder = output.resolveSibling(name);
    for (int i = 2; Files.exists(folder, LinkOption.NOFOLLOW_LINKS); i++) {
      folder = output.resolveSibling(name + "-" + i);
    }
    return folder;
  }

  private RunLog log(Model model, Corpus data, List<TrainingStage> stages, TrainingOptions options)
      throws IOException {
    byte[] text = new byte[(int) Math.min(REPORT_TEXT, data.validation().bytes())];
    if (reportText == null) {
      data.validation().read(0, text);
    } else {
      text = RunLog.bytes(reportText, "--report-text");
    }
    Map<String, Object> training = new LinkedHashMap<>();
    training.put("recipe", program.getOrDefault(RECIPE, Recipe.SMALL.toString()));
    training.put("stages", stages.toString());
    training.putAll(options.values());
    training.put("optimizer", options.optimizer().toString());
    Path file = metrics == null ? output.resolve(RunMetrics.FILE) : metrics;
    Device trained = model.getNDManager().getDevice();
    MetricsFile lines =
        resumed.isPresent()
            ? MetricsFile.resume(file, trained, resumed.get())
            : new MetricsFile(file, trained);
    RunLog log = new RunLog(identity, lines, file, model, text, training);
    log.provenance("started", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    log.provenance("command", String.join(" ", spec.commandLine().getParseResult().originalArgs()));
    return log;
  }

  /** Shows a step. If nobody sees it, the run goes on until {@code stopWhen} saves a checkpoint. */
  private static void show(ProgressLine progress, StepReport report) {
    try {
      progress.accept(report);
    } catch (LostOutputException e) {
      // the output keeps its failure, with which the command ends
    }
  }

  /** Rejects options that another given option determines. */
  private void reject(String beside, String... names) {
    for (String name : names) {
      if (given(name)) {
        throw new ParameterException(
            spec.commandLine(), lenientFormat("%s and %s exclude each other", name, beside));
      }
    }
  }

  private boolean given(String... names) {
    ParseResult parsed = spec.commandLine().getParseResult();
    return List.of(names).stream().anyMatch(parsed::hasMatchedOption);
  }

  /** Creates a listener that prints the header once the model has weights to count. */
  private TrainingListener printHeader(Model model, RunLog log) {
    return new TrainingListenerAdapter() {
      private boolean printed;

      @Override
      public void onTrainingBegin(Trainer trainer) {
        if (!printed) { // an earlier stage may have printed it
          List<String> lines = RunHeader.of(model, trainer.getModel().getDataType());
          lines.forEach(System.out::println);
          log.provenance("header", String.join("; ", lines));
          if (resumed.isPresent()) {
            log.lock(); // a new run's log locks the folder after the first step
          }
          printed = true;
        }
      }
    };
  }
}
