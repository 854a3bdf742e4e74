package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import io.github.sharnn.cli.progress.Texts;
import io.github.sharnn.score.QuantizationLoss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The text on which a command measures the loss of quality by 8 bits. */
public final class LossOption {

  private static final int OWN_TOKENS = 1_000;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description =
          "Measure the loss of quality on this text. Default: 1,000 tokens that the model generates.")
  private @Nullable Path text;

  /** Checks that the text is not given without the option that needs it. */
  public void check(boolean measures, String option) {
    checkArgument(measures || text == null, "--text needs %s: add it, or leave --text out", option);
  }

  /** Measures and prints the loss. */
  public void print(Model model) throws IOException {
    QuantizationLoss loss =
        text == null
            ? QuantizationLoss.onOwnText(model, OWN_TOKENS)
            : QuantizationLoss.on(model, Files.readAllBytes(text));
    Texts.print(
        "%,d tokens of %s: %.4f bits a token in FLOAT32, %.4f in INT8, %+.4f%n",
        loss.tokens(),
        text == null ? "its own" : text,
        loss.float32(),
        loss.int8(),
        loss.difference());
  }
}
