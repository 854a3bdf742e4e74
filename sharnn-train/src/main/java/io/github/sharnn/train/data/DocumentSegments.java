package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.AbstractIterator;
import com.google.common.collect.Lists;
import com.google.common.primitives.ImmutableLongArray;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The order in which batches read a part's documents. Documents of about the same length form a
 * group, one in each row. A group begins from a zero state and is read in segments of equal length
 * until its longest document ends; shorter documents are padded. So no document sees another one.
 *
 * <p>For training, each pass shuffles the documents. Seed and pass alone determine the order.
 */
final class DocumentSegments {

  private static final int GROUPS_SORTED_TOGETHER = 16; // more: less padding, less random groups

  private final Corpus.Part part;
  private final ImmutableLongArray ends;
  private final int rows;
  private final int sequenceLength;
  private final @Nullable Long seed; // null: the order of the part
  private final int context; // the token before a document

  DocumentSegments(
      Corpus.Part part,
      ImmutableLongArray ends,
      int rows,
      int sequenceLength,
      @Nullable Long seed) {
    this.part = part;
    this.ends = ends;
    this.rows = rows;
    this.sequenceLength = sequenceLength;
    this.seed = seed;
    this.context = context(part.vocabulary());
  }

  /** Returns the token that a scorer puts before a text: a newline, or a full stop without one. */
  private static int context(TextVocabulary vocabulary) {
    int[] tokens = vocabulary.encode("\n");
    if (tokens.length == 0) {
      tokens = vocabulary.encode(".");
    }
    checkArgument(
        tokens.length > 0,
        "documents begin after a newline or a full stop, but %s has a token for neither: use another"
            + " vocabulary, or a corpus without documents",
        vocabulary);
    return tokens[tokens.length - 1];
  }

  /**
   * A segment of a group.
   *
   * @param documents the group's documents, the longest first, at most one for each row
   * @param from the place of the segment in the documents
   * @param length its tokens in the longest document
   * @param predicted its tokens in all documents
   */
  record Segment(List<Integer> documents, int from, int length, long predicted) {}

  private int length(int document) {
    long length = ends.get(document) - start(document);
    checkArgument(
        length <= Integer.MAX_VALUE,
        "a document must have less than 2^31 tokens, but document %s of the %s has %s: use smaller"
            + " documents, or none",
        document + 1,
        part,
        length);
    return (int) length;
  }

  private long start(int document) {
    return document == 0 ? 0 : ends.get(document - 1);
  }

  /** Returns the segments of a pass. */
  Iterator<Segment> segments(int pass) {
    int[] order = IntStream.range(0, ends.length()).filter(i -> length(i) > 0).toArray();
    Random random = seed == null ? null : new Random(Seeds.mix(seed, pass));
    if (random != null) {
      for (int i = order.length - 1; i > 0; i--) {
        int j = random.nextInt(i + 1);
        int swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
      }
    }
    return new AbstractIterator<>() {
      private int next; // the first document that is in no group yet
      private Iterator<List<Integer>> groups = Collections.emptyIterator();
      private List<Integer> group = List.of();
      private int from; // in the group
      private int longest; // of the group

      @Override
      protected Segment computeNext() {
        if (from == longest) {
          if (!groups.hasNext()) {
            if (next == order.length) {
              return endOfData();
            }
            int end = (int) Math.min(order.length, next + (long) rows * GROUPS_SORTED_TOGETHER);
            groups = groups(Arrays.copyOfRange(order, next, end), random).iterator();
            next = end;
          }
          group = groups.next();
          from = 0;
          longest = length(group.get(0));
        }
        int segments = (longest - 1) / sequenceLength + 1;
        int length = Math.min((longest - 1) / segments + 1, longest - from);
        Segment segment = new Segment(group, from, length, predicted(group, from, length));
        from += length;
        return segment;
      }
    };
  }

  private List<List<Integer>> groups(int[] documents, @Nullable Random random) {
    List<Integer> sorted =
        Arrays.stream(documents).boxed().sorted(Comparator.comparing(i -> -length(i))).toList();
    List<List<Integer>> groups = new ArrayList<>(Lists.partition(sorted, rows));
    if (random != null) {
      Collections.shuffle(groups, random);
    }
    return groups;
  }

  private long predicted(List<Integer> group, int from, int length) {
    return group.stream().mapToLong(document -> count(document, from, length)).sum();
  }

  /** Returns the number of a document's tokens in a segment. */
  private int count(int document, int from, int length) {
    return Math.max(Math.min(length(document) - from, length), 0);
  }

  /** Reads a segment, row by row: the token before it, then its tokens, then padding. */
  long[] tokens(Segment segment) {
    int width = segment.length + 1;
    long[] tokens = new long[rows * width];
    Arrays.fill(tokens, context);
    for (int row = 0; row < segment.documents.size(); row++) {
      int document = segment.documents.get(row);
      int count = count(document, segment.from, segment.length);
      if (count == 0) {
        continue;
      }
      int before = segment.from == 0 ? 0 : 1; // later segments begin with the token before them
      int[] own = new int[count + before];
      part.read(start(document) + segment.from - before, own);
      for (int i = 0; i < own.length; i++) {
        tokens[row * width + 1 - before + i] = own[i];
      }
    }
    return tokens;
  }

  /** Returns the weight of each label of a segment, with mean 1, or null without padding. */
  float @Nullable [] weights(Segment segment) {
    int all = rows * segment.length;
    if (segment.predicted == all) {
      return null;
    }
    float[] weights = new float[all];
    for (int row = 0; row < segment.documents.size(); row++) {
      int begin = row * segment.length;
      int count = count(segment.documents.get(row), segment.from, segment.length);
      Arrays.fill(weights, begin, begin + count, (float) ((double) all / segment.predicted));
    }
    return weights;
  }
}
