package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.options.ModelOptions;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.generate.GeneratedText;
import io.github.sharnn.generate.SHARNNGenerator;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code sharnn.jar generate}: continues a prompt. */
@Command(name = "generate", description = "Print a prompt and a model's continuation of it.")
final class GenerateCommand implements Callable<Integer> {

  private static final Path STANDARD_INPUT = Path.of("-");

  @Mixin private ModelOptions options;

  @Option(
      names = "--prompt",
      paramLabel = "TEXT",
      parameterConsumer = Arguments.Text.class,
      description = "The text to continue. Default: 'The '.")
  private @Nullable String prompt;

  @Option(
      names = "--prompt-file",
      paramLabel = "FILE",
      description =
          "A file of UTF-8 to continue, with all its bytes, such as a newline at its end; - for"
              + " standard input.")
  private @Nullable Path promptFile;

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

  @Option(
      names = "--repetition-window",
      description = "Number of tokens that count as recent. Default: 64.")
  private @Nullable Integer repetitionWindow;

  @Option(
      names = "--seed",
      description = "Seed of the random draws. Default: a new one, printed on standard error.")
  private @Nullable Long seed;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      showDefaultValue = Visibility.NEVER,
      parameterConsumer = Arguments.Text.class,
      description = "Stop after this text; may be repeated. Default: no stop text.")
  private List<String> stops = new ArrayList<>();

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      description =
          "INT8, FLOAT16 or FLOAT32: the type to compute in after the prompt. INT8 is for a CPU; it"
              + " takes about a quarter of the memory. Default: the weights' own type.")
  private @Nullable DataType precision;

  @Option(
      names = "--stream",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Print each piece of text at once; --no-stream prints all of it at the end.")
  private boolean stream;

  @Override
  public Integer call() throws Exception {
    checkArgument(
        prompt == null || promptFile == null,
        "--prompt and --prompt-file exclude each other: leave one out");
    String text =
        promptFile == null ? Objects.requireNonNullElse(prompt, "The ") : read(promptFile);
    SHARNNDecoder.checkPrecision(precision);
    try (Model model = options.load()) {
      if (precision == DataType.INT8) {
        SHARNN.of(model).quantize(); // frees the matrices in FLOAT32
      }
      SHARNNGenerator.Builder builder =
          SHARNNGenerator.builder(model)
              .length(length)
              .temperature(temperature)
              .topK(topK)
              .topP(topP)
              .minP(minP)
              .repetitionPenalty(repetitionPenalty)
              .repetitionWindow(Objects.requireNonNullElse(repetitionWindow, 64))
              .precision(precision)
              .stop(stops.toArray(String[]::new));
      if (seed != null) {
        builder.seed(seed);
      }
      SHARNNGenerator generator = builder.build();
      checkArgument(
          repetitionWindow == null || repetitionPenalty != 1,
          "--repetition-window needs a --repetition-penalty other than 1: add it, or leave the window"
              + " out");
      // standard output gets only the text
      DecoderHeader.of(model, precision).forEach(System.err::println);
      try (GeneratedText pieces = generator.iterate(text)) {
        if (seed == null) {
          System.err.println("--seed " + pieces.seed() + " gives this text again");
        }
        if (stream) {
          System.out.print(text);
          pieces.forEachRemaining(System.out::print);
        } else {
          StringBuilder whole = new StringBuilder(text);
          pieces.forEachRemaining(whole::append);
          System.out.print(whole);
        }
      }
      System.out.println();
    }
    return 0;
  }

  private static String read(Path file) throws IOException {
    if (!file.equals(STANDARD_INPUT) && Files.isDirectory(file)) {
      throw new IOException("--prompt-file must be a file, but " + file + " is a folder");
    }
    byte[] bytes =
        file.equals(STANDARD_INPUT) ? System.in.readAllBytes() : Files.readAllBytes(file);
    checkArgument(
        bytes.length > 0,
        "--prompt-file must have at least one byte, but %s is empty: name another file",
        file.equals(STANDARD_INPUT) ? "standard input" : file);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(
          "--prompt-file must be UTF-8, but " + file + " is not: convert it", e);
    }
  }
}
