package io.github.sharnn.cli;

import ai.djl.Model;
import io.github.sharnn.RunHeader;
import io.github.sharnn.cli.options.ModelOptions;
import io.github.sharnn.generate.GeneratedText;
import io.github.sharnn.generate.SHARNNGenerator;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code sharnn.jar generate}: continues a prompt. */
@Command(name = "generate", description = "Print a prompt and a model's continuation of it.")
final class GenerateCommand implements Callable<Integer> {

  @Mixin private ModelOptions options;

  @Option(names = "--prompt", description = "The text to continue.")
  private String prompt = "The ";

  @Option(
      names = "--length",
      description = "Largest number of tokens to generate: bytes, words or subwords.")
  private int length = 400;

  @Option(
      names = "--temperature",
      description = "Divisor of the logits: below 1 for safer text, above 1 for bolder text.")
  private float temperature = 0.8f;

  @Option(
      names = "--top-k",
      description = "Sample from the K most probable tokens; 0 for all tokens.")
  private int topK;

  @Option(
      names = "--top-p",
      description = "Sample from the most probable tokens that reach this probability together.")
  private float topP = 1;

  @Option(
      names = "--min-p",
      description = "Sample from tokens with at least this share of the largest probability.")
  private float minP;

  @Option(
      names = "--repetition-penalty",
      description =
          "Make recent tokens less probable; 1 for no penalty. A model of bytes misspells words"
              + " above 1.1.")
  private float repetitionPenalty = 1;

  @Option(names = "--repetition-window", description = "Number of tokens that count as recent.")
  private int repetitionWindow = 64;

  @Option(names = "--seed", description = "Seed of the random draws.")
  private long seed = 42;

  @Option(names = "--stop", description = "Stop after this text. Default: no stop text.")
  private @Nullable String stop;

  @Option(
      names = "--stream",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Print each piece of text at once; --no-stream prints all of it at the end.")
  private boolean stream;

  @Override
  public Integer call() throws Exception {
    try (Model model = options.load()) {
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
      RunHeader.of(model).forEach(System.err::println); // standard output gets only the text
      if (stream) {
        try (GeneratedText text = generator.iterate(prompt)) {
          System.out.print(prompt);
          text.forEachRemaining(System.out::print);
        }
      } else {
        System.out.print(prompt + generator.generate(prompt));
      }
      System.out.println();
    }
    return 0;
  }
}
