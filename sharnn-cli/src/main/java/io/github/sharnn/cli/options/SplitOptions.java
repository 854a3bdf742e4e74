package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.Comparators;
import com.google.common.primitives.Ints;
import io.github.sharnn.SHARNNConfig;
import java.util.Comparator;
import java.util.List;
import picocli.CommandLine.Option;

/** How the softmax over a large vocabulary is split. */
public final class SplitOptions {

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

  /** Refuses what is wrong with a vocabulary of any size; the builder's just holds the splits. */
  public void check(SHARNNConfig.Builder builder) {
    refuseBoth();
    if (splits == null) {
      return;
    }
    List<Integer> firstTokens = Ints.asList(splits);
    checkArgument(
        splits[0] > 0 && Comparators.isInStrictOrder(firstTokens, Comparator.naturalOrder()),
        "--splits must ascend from above 0, as the first tokens of the tails, but are %s",
        firstTokens);
    builder.vocabularySize(Ints.saturatedCast(Ints.max(splits) + 1L)).splits(splits);
  }

  public void apply(SHARNNConfig.Builder builder) {
    refuseBoth();
    if (splits != null) {
      builder.splits(splits);
    }
    if (bySize) {
      builder.defaultSplits();
    }
  }

  private void refuseBoth() {
    checkArgument(splits == null || !bySize, "give --splits or --default-splits, not both");
  }
}
