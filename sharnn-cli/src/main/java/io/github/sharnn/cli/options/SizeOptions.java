package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.Comparators;
import com.google.common.primitives.Ints;
import io.github.sharnn.SHARNNConfig;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options for a model's sizes, attention and softmax. */
public final class SizeOptions {

  @Option(names = "--embedding-size", description = "Size C of embeddings, LSTMs and attention.")
  private Optional<Integer> embeddingSize;

  @Option(names = "--boom-size", description = "Inner size H of the Boom, a multiple of C.")
  private Optional<Integer> boomSize;

  @Option(names = "--layers", description = "Number of blocks.")
  private Optional<Integer> layers;

  @Option(
      names = "--attention-layers",
      paramLabel = "N,N,...",
      arity = "0..1",
      fallbackValue = "",
      description =
          "Layers with attention, counted from 0, separated by commas; empty for none. Default: the"
              + " second-to-last layer; train takes the recipe's.")
  private @Nullable String attentionLayers;

  @Option(names = "--memory-length", description = "Number of positions that attention sees.")
  private Optional<Integer> memoryLength;

  @Option(
      names = "--splits",
      split = ",",
      paramLabel = "N",
      description =
          "First token of each tail of an adaptive softmax, separated by commas; tokens are sorted"
              + " by falling frequency. Default: one softmax over all tokens.")
  private int @Nullable [] splits;

  @Option(
      names = "--default-splits",
      description =
          "Choose the splits by the vocabulary's size: 2800, 20000 and 76000 above 75,000 tokens;"
              + " 4200, 35000 and 180000 above 500,000 tokens.")
  private boolean bySize;

  /** Sets the given sizes and attention. */
  public void apply(SHARNNConfig.Builder builder) {
    embeddingSize.ifPresent(builder::embeddingSize);
    boomSize.ifPresent(builder::boomSize);
    layers.ifPresent(builder::layers);
    if (attentionLayers != null) {
      builder.attentionLayers(layers(attentionLayers));
    }
    memoryLength.ifPresent(builder::memoryLength);
  }

  private static int[] layers(String text) {
    if (text.isEmpty()) {
      return new int[0];
    }
    Stream<Integer> numbers =
        Arrays.stream(text.split(",", -1)).map(String::strip).map(Ints::tryParse);
    List<Integer> layers = numbers.map(Optional::ofNullable).flatMap(Optional::stream).toList();
    checkArgument(
        layers.size() == text.split(",", -1).length,
        "--attention-layers takes layers separated by commas, such as 0,2, or nothing for none, but"
            + " was given '%s'",
        text);
    return Ints.toArray(layers);
  }

  /** Rejects splits that are wrong for every vocabulary size. */
  public void checkSplits(SHARNNConfig.Builder builder) {
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

  /** Sets the splits of the vocabulary. */
  public void applySplits(SHARNNConfig.Builder builder) {
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
