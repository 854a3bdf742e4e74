package io.github.sharnn.cli;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.options.BackOffOptions;
import io.github.sharnn.cli.options.CorpusOptions;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.cli.report.Figures;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.DynamicEvaluation;
import io.github.sharnn.train.evaluate.Evaluation;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar evaluate}: bits per character and perplexities of a part of a corpus. */
@Command(
    name = "evaluate",
    description = "Print the bits per character that a model needs for a part of a corpus.",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false)
final class EvaluateCommand implements Callable<Integer> {

  /** The parts of a corpus. */
  enum Part {
    TRAIN,
    VALIDATION,
    TEST
  }

  @Parameters(paramLabel = "MODEL", description = "The folder of a saved model.")
  private Path folder;

  @Mixin private CorpusOptions corpus;

  @Mixin private DeviceOption device;

  @Mixin private BackOffOptions backOff;

  @Option(names = "--part", description = "One of ${COMPLETION-CANDIDATES}.")
  private Part part = Part.TEST;

  @Option(
      names = "--streams",
      description = "Streams read side by side; 1 gives every token its whole context.")
  private int streams = 16;

  @Option(names = "--sequence-length", description = "Steps per segment.")
  private int sequenceLength = 128;

  @ArgGroup(exclusive = false, heading = "A second figure, of a copy that goes on learning:%n")
  private final DynamicOptions dynamic = new DynamicOptions();

  /** How the copy learns. */
  static final class DynamicOptions {

    @Option(
        names = "--dynamic",
        required = true, // of the group: the others mean nothing without it
        description =
            "Evaluate once more, now changing the weights after each segment, with the same streams"
                + " and segments.")
    private boolean on;

    @Option(
        names = "--dynamic-rate",
        paramLabel = "RATE",
        description = "About how far a change lowers the loss of its own segment, in nats.")
    private float learningRate = DynamicEvaluation.Settings.DEFAULT.learningRate();

    @Option(
        names = "--dynamic-decay",
        paramLabel = "SHARE",
        description = "Share of the way back to the trained weights each time, on the mean.")
    private float decay = DynamicEvaluation.Settings.DEFAULT.decay();

    @Option(
        names = "--dynamic-epsilon",
        paramLabel = "MULTIPLE",
        description = "What is added to the RMS of each gradient, in their mean.")
    private float epsilon = DynamicEvaluation.Settings.DEFAULT.epsilon();

    @Option(
        names = "--dynamic-segments",
        paramLabel = "COUNT",
        description = "Segments of the training part that the RMS are of, at most.")
    private int segments = DynamicEvaluation.Settings.DEFAULT.statisticsSegments();

    @Option(
        names = "--dynamic-precision",
        paramLabel = "TYPE",
        description = "FLOAT32 or FLOAT16. Default: FLOAT16 on a GPU.")
    private DataType precision;
  }

  @Override
  public Integer call() throws Exception {
    // before the first figure, which may take long
    DynamicEvaluation.Settings adapting = dynamic.on ? dynamicSettings() : null;
    Corpus bytes = corpus.open();
    try (Model model = backOff.load(folder, device.device())) {
      Corpus data = bytes.withVocabulary(SHARNN.of(model).vocabulary());
      Corpus.Part text =
          switch (part) {
            case TRAIN -> data.train();
            case VALIDATION -> data.validation();
            case TEST -> data.test();
          };
      RunHeader.of(model).forEach(System.out::println);
      Evaluation result =
          Evaluation.of(model, text, new Evaluation.Settings(streams, sequenceLength));
      System.out.printf(
          Locale.ROOT,
          "%.4f BPC (%,d bytes of the %s, %d streams)%n",
          result.bitsPerCharacter(),
          result.predictedBytes(),
          text,
          streams);
      System.out.println(Figures.perplexities(result));
      if (adapting != null) {
        printDynamic(model, data.train(), text, adapting);
      }
    }
    return 0;
  }

  private DynamicEvaluation.Settings dynamicSettings() {
    return new DynamicEvaluation.Settings(
        streams,
        sequenceLength,
        dynamic.learningRate,
        dynamic.decay,
        dynamic.epsilon,
        dynamic.segments,
        dynamic.precision);
  }

  private static void printDynamic(
      Model model, Corpus.Part training, Corpus.Part text, DynamicEvaluation.Settings settings) {
    long begin = System.nanoTime();
    DynamicEvaluation result = DynamicEvaluation.of(model, training, text, settings);
    System.out.printf(
        Locale.ROOT,
        "%.4f BPC with dynamic evaluation (segments of %d, rate %s, decay %s, epsilon %s, %d"
            + " segments of training text for RMS; %,.0f bytes/s)%n",
        result.bitsPerCharacter(),
        settings.sequenceLength(),
        settings.learningRate(),
        settings.decay(),
        settings.epsilon(),
        settings.statisticsSegments(),
        result.predictedBytes() / ((System.nanoTime() - begin) / 1e9));
    System.out.println(
        Figures.perplexities(result.perplexity()) + Figures.lost(result.perplexity()));
  }
}
