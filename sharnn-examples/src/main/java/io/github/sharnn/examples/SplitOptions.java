package io.github.sharnn.examples;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.SHARNNBuilder;
import picocli.CommandLine.Option;

/** How the softmax over a large vocabulary is split. */
final class SplitOptions {

  @Option(
      names = "--splits",
      split = ",",
      paramLabel = "N",
      description =
          "First tokens of the tails of a split softmax, separated by commas; tokens are sorted by"
              + " falling frequency. Default: one softmax over all tokens.")
  private int[] splits;

  @Option(
      names = "--default-splits",
      description =
          "Split the softmax by the vocabulary's size: at 2800, 20000 and 76000 above 75,000 tokens,"
              + " at 4200, 35000 and 180000 above 500,000.")
  private boolean bySize;

  void apply(SHARNNBuilder builder) {
    checkArgument(splits == null || !bySize, "give --splits or --default-splits, not both");
    if (splits != null) {
      builder.splits(splits);
    }
    if (bySize) {
      builder.defaultSplits();
    }
  }
}
