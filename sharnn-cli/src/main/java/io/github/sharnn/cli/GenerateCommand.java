package io.github.sharnn.cli;

import ai.djl.Model;
import io.github.sharnn.RunHeader;
import io.github.sharnn.cli.options.BackOffOptions;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.generate.GeneratedText;
import io.github.sharnn.generate.SHARNNGenerator;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar generate}: text that goes on from a prompt. */
@Command(
    name = "generate",
    description = "Print a prompt and the text that a model goes on with.",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false)
final class GenerateCommand implements Callable<Integer> {

  @Parameters(paramLabel = "MODEL", description = "The folder of a saved model.")
  private Path folder;

  @Mixin private DeviceOption device;

  @Mixin private BackOffOptions backOff;

  @Option(names = "--prompt", description = "The text to go on from.")
  private String prompt = "The ";

  @Option(names = "--length", description = "Most tokens to generate: bytes, words or subwords.")
  private int length = 400;

  @Option(names = "--temperature", description = "What logits are divided by.")
  private float temperature = 0.8f;

  @Option(names = "--top-k", description = "Draw from the K most probable tokens; 0 for all.")
  private int topK;

  @Option(names = "--top-p", description = "Draw from the tokens that reach this probability.")
  private float topP = 1;

  @Option(
      names = "--min-p",
      description = "Draw from the tokens with this share of the most probable one's probability.")
  private float minP;

  @Option(
      names = "--repetition-penalty",
      description =
          "Make recent tokens less probable: 1 for no penalty; of bytes, above 1.1 the spelling"
              + " suffers.")
  private float repetitionPenalty = 1;

  @Option(names = "--repetition-window", description = "Tokens that are recent.")
  private int repetitionWindow = 64;

  @Option(names = "--seed", description = "Decides every draw.")
  private long seed = 42;

  @Option(names = "--stop", description = "Stop after this text. Default: none.")
  private String stop;

  @Option(
      names = "--stream",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Print the text as it comes, or all of it at the end.")
  private boolean stream;

  @Override
  public Integer call() throws Exception {
    try (Model model = backOff.load(folder, device.device())) {
      SHARNNGenerator generator =
          SHARNNGenerator.builder(model)
              .length(length)
              .temperature(temperature)
              .topK(topK)
              .topP(topP)
              .minP(minP)
              .repetitionPenalty(repetitionPenalty)
              .repetitionWindow(repetitionWindow)
              .seed(seed)
              .stop(stop)
              .build();
      RunHeader.of(model).forEach(System.err::println); // standard output is the text's alone
      if (stream) {
        print(generator);
      } else {
        System.out.print(prompt + generator.generate(prompt));
      }
      System.out.println();
    }
    return 0;
  }

  private void print(SHARNNGenerator generator) {
    try (GeneratedText text = generator.iterate(prompt)) {
      System.out.print(prompt);
      // which also flushes; where nobody reads any more, as behind "| head", the text breaks off
      while (!System.out.checkError() && text.hasNext()) {
        System.out.print(text.next());
      }
    }
  }
}
