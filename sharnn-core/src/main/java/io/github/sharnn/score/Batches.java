package io.github.sharnn.score;

import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.TextModel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Batches of texts of similar length, so that little of a batch is padding. */
final class Batches {

  private static final int LONGEST_DEFAULT_SEGMENT = 256; // bounds the activations
  private static final long FEWEST_FITTING = 16; // segments of the default length in a batch

  private final int mostTexts;
  private final int segmentLength;
  private final int vocabularySize;
  private final int memoryLength; // 0 without attention
  private final long mostNumbers;

  /** Limits a batch to so many texts, and its largest array to about so many numbers. */
  Batches(
      int mostTexts, int segmentLength, int vocabularySize, int memoryLength, long mostNumbers) {
    this.mostTexts = mostTexts;
    this.segmentLength = segmentLength;
    this.vocabularySize = vocabularySize;
    this.memoryLength = memoryLength;
    this.mostNumbers = mostNumbers;
  }

  /** Limits a batch of a model's scorer. */
  static Batches of(SHARNNConfig config, int mostTexts, int segmentLength) {
    int memory = config.hasAttention() ? config.memoryLength() : 0;
    return new Batches(
        mostTexts, segmentLength, config.vocabularySize(), memory, TextModel.MAX_LOGITS);
  }

  /** Returns the segment length of a scorer without the option. */
  static int defaultSegmentLength(SHARNNConfig config) {
    // half of the memory, so that each token sees at least the other half
    int half = config.hasAttention() ? config.memoryLength() / 2 : LONGEST_DEFAULT_SEGMENT;
    long fitting = TextModel.MAX_LOGITS / (FEWEST_FITTING * config.vocabularySize());
    return (int) Math.max(Math.min(Math.min(half, LONGEST_DEFAULT_SEGMENT), fitting), 1);
  }

  /** Returns the indices of the texts of each batch, the longest first. */
  List<List<Integer>> of(int... lengths) {
    List<Integer> longestFirst =
        IntStream.range(0, lengths.length)
            .boxed()
            .sorted(Comparator.comparing(i -> -lengths[i]))
            .toList();
    List<List<Integer>> batches = new ArrayList<>();
    for (int from = 0; from < lengths.length; ) {
      int to = Math.min(from + size(lengths[longestFirst.get(from)]), lengths.length);
      batches.add(longestFirst.subList(from, to));
      from = to;
    }
    return batches;
  }

  /** Returns the largest number of texts of up to so many bytes. */
  private int size(int bytes) {
    long tokens = bytes + 1L; // a word vocabulary may add an <eos>
    long rows = Math.min(tokens, segmentLength); // of logits or of attention weights
    long columns = Math.max(vocabularySize, Math.min(tokens, memoryLength));
    return (int) Math.max(Math.min(mostTexts, mostNumbers / (rows * columns)), 1);
  }
}
