package io.github.sharnn.examples;

import ai.djl.Model;
import io.github.sharnn.RunHeader;
import io.github.sharnn.train.Corpus;
import io.github.sharnn.train.Evaluation;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar evaluate}: bits per character of a part of a corpus. */
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
      description = "Streams read side by side; 1 gives every byte its whole context.")
  private int streams = 16;

  @Option(names = "--sequence-length", description = "Steps per segment.")
  private int sequenceLength = 128;

  @Override
  public Integer call() throws Exception {
    Corpus data = corpus.open();
    Corpus.Part bytes =
        switch (part) {
          case TRAIN -> data.train();
          case VALIDATION -> data.validation();
          case TEST -> data.test();
        };
    try (Model model = backOff.load(folder, device.device())) {
      RunHeader.of(model).forEach(System.out::println);
      Evaluation result = Evaluation.of(model, bytes, streams, sequenceLength);
      System.out.printf(
          Locale.ROOT,
          "%.4f BPC (%,d bytes of the %s, %d streams)%n",
          result.bitsPerCharacter(),
          result.predictedBytes(),
          bytes,
          result.streams());
    }
    return 0;
  }
}
