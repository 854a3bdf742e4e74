package io.github.sharnn.cli.report;

import static com.google.common.base.Strings.lenientFormat;
import static io.github.sharnn.cli.progress.Texts.format;

import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.vocabulary.Perplexity;
import org.jspecify.annotations.Nullable;

/** The formats of an evaluation's figures in commands and reports. */
public final class Figures {

  private Figures() {}

  /** Formats perplexities, and the settings that the text was read with. */
  public static String perplexities(Evaluation evaluation) {
    return lenientFormat(
        "%s; segments of %s, memory of %s%s",
        perplexities(evaluation.perplexity()),
        evaluation.settings().sequenceLength(),
        evaluation.memoryLength(),
        lost(evaluation.perplexity()));
  }

  /** Formats perplexities. */
  public static String perplexities(Perplexity perplexity) {
    return format(
        "perplexity %.2f a token (%,d), %s a word (%,d, ends of lines included)",
        perplexity.ofToken(),
        perplexity.units().tokens(),
        readable(perplexity.ofWord()),
        perplexity.units().words());
  }

  /** Names the bytes that lossy tokens leave out of the figures; empty for lossless tokens. */
  public static String lost(Perplexity perplexity) {
    return lost(perplexity.units().lostBytes(), perplexity.bitsPerByteSpelled());
  }

  static String lost(long bytes, @Nullable Double bitsPerByteSpelled) {
    if (bytes == 0) {
      return "";
    }
    if (bytes < 0) {
      return "; the tokens lose an unknown number of bytes";
    }
    String lost = format("; the tokens lose %,d bytes", bytes);
    return bitsPerByteSpelled == null
        ? lost
        : format("%s: %.4f BPC with those spelled out", lost, bitsPerByteSpelled);
  }

  /** Formats a perplexity with few digits. In a text of few, long words, it can be huge. */
  static String readable(double perplexity) {
    return format(perplexity < 1e9 ? "%.2f" : "%.3e", perplexity);
  }
}
