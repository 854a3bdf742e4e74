package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.Comparators;
import com.google.common.primitives.Ints;
import io.github.sharnn.SHARNNConfig;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that split the softmax of a large vocabulary. */
public final class SplitOptions {

  @Option(
      names = "--splits",
      split = ",",
      paramLabel = "N",
      description =
          "First tokens of the tails of an adaptive softmax, separated by commas; tokens are sorted"
              + " by falling frequency. Default: one softmax over all tokens.")
  private int @Nullable [] splits;

  @Option(
      names = "--default-splits",
      description =
          "Choose the splits by the vocabulary's size: 2800, 20000 and 76000 above 75,000 tokens;"
              + " 4200, 35000 and 180000 above 500,000 tokens.")
  private boolean bySize;

  /** Rejects splits that are wrong for every vocabulary size. */
  public void check(SHARNNConfig.Builder builder) {
    rejectBoth();
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

  /** Sets the splits of a model. */
  public void apply(SHARNNConfig.Builder builder) {
    rejectBoth();
    if (splits != null) {
      builder.splits(splits);
    }
    if (bySize) {
      builder.defaultSplits();
    }
  }

  private void rejectBoth() {
    checkArgument(
        splits == null || !bySize,
        "--splits and --default-splits exclude each other: leave one out");
  }
}
