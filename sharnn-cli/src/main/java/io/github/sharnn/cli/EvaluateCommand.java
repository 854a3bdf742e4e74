package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;
import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.options.CorpusOptions;
import io.github.sharnn.cli.options.ModelOptions;
import io.github.sharnn.cli.options.PrecisionOption;
import io.github.sharnn.cli.report.Figures;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.DynamicEvaluation;
import io.github.sharnn.train.evaluate.Evaluation;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code sharnn.jar evaluate}: measures bits per character and perplexities on a corpus. */
@Command(
    name = "evaluate",
    description =
        "Print the bits per character and the perplexity of a model on a part of a corpus.")
final class EvaluateCommand implements Callable<Integer> {

  /** The parts of a corpus. */
  enum Part {
    TRAIN,
    VALIDATION,
    TEST
  }

  @Mixin private ModelOptions options;

  @Mixin private PrecisionOption precision;

  @Mixin private CorpusOptions corpus;

  @Option(names = "--part", description = "The part to evaluate: ${COMPLETION-CANDIDATES}.")
  private Part part = Part.TEST;

  @Option(
      names = "--streams",
      description =
          "Streams that are read side by side. With 1, every token has its whole context.")
  private int streams = 16;

  @Option(names = "--sequence-length", description = "Length of a segment, in tokens.")
  private int sequenceLength = 128;

  @ArgGroup(
      exclusive = false,
      heading = "Dynamic evaluation, a second figure from a copy that keeps learning:%n")
  private final DynamicOptions dynamic = new DynamicOptions();

  /** Options of dynamic evaluation. */
  static final class DynamicOptions {

    @Option(
        names = "--dynamic",
        required = true, // the other options of the group need it
        description =
            "Evaluate once more with the same streams and segments, and change the weights after"
                + " each segment.")
    private boolean on;

    @Option(
        names = "--dynamic-rate",
        paramLabel = "RATE",
        description = "Approximate decrease of a segment's own loss by one change, in nats.")
    private float learningRate = DynamicEvaluation.Settings.DEFAULT.learningRate();

    @Option(
        names = "--dynamic-decay",
        paramLabel = "SHARE",
        description =
            "Average fraction by which a change moves the weights back to the trained ones.")
    private float decay = DynamicEvaluation.Settings.DEFAULT.decay();

    @Option(
        names = "--dynamic-epsilon",
        paramLabel = "MULTIPLE",
        description = "Number added to each weight's gradient RMS, as a multiple of the mean RMS.")
    private float epsilon = DynamicEvaluation.Settings.DEFAULT.epsilon();

    @Option(
        names = "--dynamic-segments",
        paramLabel = "COUNT",
        description = "Largest number of training segments that the RMS are measured on.")
    private int segments = DynamicEvaluation.Settings.DEFAULT.statisticsSegments();

    @Option(
        names = "--dynamic-precision",
        paramLabel = "TYPE",
        description = "FLOAT32 or FLOAT16. Default: FLOAT16 on a GPU.")
    private @Nullable DataType precision;
  }

  @Override
  public Integer call() throws Exception {
    checkArgument(
        !dynamic.on || !precision.isInt8(),
        "--dynamic changes weights, which INT8 does not allow: leave out --dynamic or --precision INT8");
    // before the first evaluation, which may take long
    DynamicEvaluation.@Nullable Settings adapting =
        dynamic.on
            ? new DynamicEvaluation.Settings(
                streams,
                sequenceLength,
                dynamic.learningRate,
                dynamic.decay,
                dynamic.epsilon,
                dynamic.segments,
                dynamic.precision)
            : null;
    Corpus bytes = corpus.open();
    try (Model model = options.load()) {
      precision.apply(model);
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
      print(
          "%.4f BPC (%,d bytes of the %s, %d streams)%n",
          result.bitsPerCharacter(), result.predictedBytes(), text, streams);
      System.out.println(Figures.perplexities(result));
      if (adapting != null) {
        printDynamic(model, data.train(), text, adapting);
      }
    }
    return 0;
  }

  private static void printDynamic(
      Model model, Corpus.Part training, Corpus.Part text, DynamicEvaluation.Settings settings) {
    long begin = System.nanoTime();
    DynamicEvaluation result = DynamicEvaluation.of(model, training, text, settings);
    print(
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
