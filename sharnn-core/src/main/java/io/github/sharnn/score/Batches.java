package io.github.sharnn.score;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Batches of texts of similar length, so that little of a batch is padding. */
final class Batches {

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

  /** Returns the indices of the texts of each batch, the longest first. */
  List<List<Integer>> of(List<byte[]> texts) {
    List<Integer> longestFirst =
        IntStream.range(0, texts.size())
            .boxed()
            .sorted(Comparator.comparing(i -> -texts.get(i).length))
            .toList();
    List<List<Integer>> batches = new ArrayList<>();
    for (int from = 0; from < texts.size(); ) {
      int longest = texts.get(longestFirst.get(from)).length;
      int to = Math.min(from + size(longest), texts.size());
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
