package io.github.sharnn.softmax;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.List;
import java.util.stream.Stream;

/**
 * The rules for the splits of an adaptive softmax: {@code [0, splits[0])} is the head, and each
 * split is the first token of a tail. No splits stand for one softmax over all tokens.
 */
public final class Splits {

  private Splits() {}

  /**
   * {@return the reference's splits for a vocabulary sorted by frequency, ascending} Up to 75,000
   * words there are none. Above, they are 2800, 20000 and 76000, and above 500,000 words 4200,
   * 35000 and 180000. Splits that are not below the vocabulary's size are omitted.
   *
   * @param vocabularySize number of tokens V
   */
  public static List<Integer> of(int vocabularySize) {
    Stream<Integer> splits =
        vocabularySize > 500_000
            ? Stream.of(4200, 35_000, 180_000)
            : vocabularySize > 75_000 ? Stream.of(2800, 20_000, 76_000) : Stream.of();
    return splits.filter(split -> split < vocabularySize).toList();
  }

  /**
   * Checks splits.
   *
   * @param splits the first token of each tail, ascending, each in (0, V)
   * @param vocabularySize number of tokens V
   * @return an immutable copy
   * @throws IllegalArgumentException if the splits do not ascend from above 0 to below V
   */
  public static List<Integer> check(List<Integer> splits, int vocabularySize) {
    int before = 0;
    for (Integer split : splits) {
      checkArgument(split != null, "splits must not hold null");
      checkArgument(
          split > before && split < vocabularySize,
          "splits (%s) must be ascending, above 0 and below vocabularySize (%s), but %s is not:"
              + " each is the first token of a tail; leave them empty for one softmax over all tokens",
          splits,
          vocabularySize,
          split);
      before = split;
    }
    return List.copyOf(splits);
  }
}
