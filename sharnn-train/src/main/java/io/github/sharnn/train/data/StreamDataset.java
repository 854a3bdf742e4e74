package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.util.Progress;
import com.google.common.collect.AbstractIterator;
import com.google.common.collect.Iterables;
import io.github.sharnn.engine.Operators;
import io.github.sharnn.softmax.ClusterLabels;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A DJL data set of a part of a corpus, as B contiguous streams that are read side by side in
 * segments. Row b of a batch continues row b of the batch before, so that the recurrent state
 * carries over.
 *
 * <p>With {@link #fixed}, every segment has {@code sequenceLength} steps. With {@link #random}, a
 * segment's length is drawn from a normal distribution with deviation 5, at least 5 and at most
 * {@code sequenceLength}. The mean is {@code sequenceLength} with probability 0.95, and half of it
 * otherwise. The last segment is shorter. The last tokens of the part, fewer than B, are left out
 * unless {@link #withRest} is called.
 *
 * <p>A part with {@link Documents} is read in groups of B documents instead, see {@link
 * TokenBatch}. Each document is read from a zero state, from its first token to its last. With
 * {@link #random}, each pass shuffles the documents.
 *
 * <p>A random length depends on seed, pass and position only, so a run can resume inside a pass.
 *
 * <ul>
 *   <li>Data: tokens {@code (B, T)}, INT64; a byte's token is its unsigned value
 *   <li>Labels: the tokens one position later, {@code (B, T)}, INT64; more arrays for a model with
 *       splits, see {@link ClusterLabels}, and for a padded batch their weights
 * </ul>
 */
public final class StreamDataset implements Dataset {

  private static final double FULL_LENGTH_PROBABILITY = 0.95;
  private static final double LENGTH_DEVIATION = 5;
  private static final int MIN_LENGTH = 5;

  private final Corpus.Part part;
  private final DataType type; // the smallest one that holds the tokens
  private final int streams;
  private final int sequenceLength;
  private final @Nullable Long seed; // null: fixed lengths
  private List<Integer> splits = List.of();
  private @Nullable LongUnaryOperator drawn; // null: the part's tokens
  private @Nullable StreamDataset rest; // null: left out
  private final long streamLength;
  private final @Nullable DocumentSegments documents; // null: one continuous text
  private int passes; // passes started so far

  private StreamDataset(Corpus.Part part, int streams, int sequenceLength, @Nullable Long seed) {
    checkArgument(streams >= 1, "the number of streams must be at least 1, but is %s", streams);
    checkArgument(
        sequenceLength >= 1, "sequenceLength must be at least 1, but is %s", sequenceLength);
    documents =
        part.documents() == null
            ? null
            : new DocumentSegments(part, part.documents(), streams, sequenceLength, seed);
    streamLength = documents == null ? (part.length() - 1) / streams : part.length();
    checkArgument(
        streamLength >= 1,
        "%s is too short for %s streams, which need %s tokens, but it has %s: use fewer streams (a"
            + " smaller batchSize) or a longer corpus",
        part,
        streams,
        streams + 1L,
        part.length());
    this.part = part;
    this.type = type(part.vocabulary());
    this.streams = streams;
    this.sequenceLength = sequenceLength;
    this.seed = seed;
  }

  /**
   * Creates a data set of segments of random length, for training. The lengths differ in each pass.
   *
   * @param part the tokens
   * @param streams number of streams B
   * @param sequenceLength longest segment T, in the literature bptt
   * @param seed seed of the lengths
   * @return the data set
   * @throws IllegalArgumentException if a number is below 1 or the part is too short
   */
  public static StreamDataset random(Corpus.Part part, int streams, int sequenceLength, long seed) {
    return new StreamDataset(part, streams, sequenceLength, seed);
  }

  /**
   * Creates a data set of segments of one length, for evaluation.
   *
   * @param part the tokens
   * @param streams number of streams B
   * @param sequenceLength length T of every segment but the last
   * @return the data set
   * @throws IllegalArgumentException if a number is below 1 or the part is too short
   */
  public static StreamDataset fixed(Corpus.Part part, int streams, int sequenceLength) {
    return new StreamDataset(part, streams, sequenceLength, null);
  }

  /**
   * Adds to the labels the arrays that a model with splits needs.
   *
   * @param firstTokens the model's {@link io.github.sharnn.SHARNNConfig#splits}; empty for none
   * @return this data set
   */
  public StreamDataset withSplits(List<Integer> firstTokens) {
    splits = List.copyOf(firstTokens);
    return this;
  }

  /**
   * Replaces the tokens by a function of the position, for benchmarks.
   *
   * @param tokens returns the token at a position of the part; null for the part's own
   * @return this data set
   */
  public StreamDataset drawing(@Nullable LongUnaryOperator tokens) {
    checkArgument(tokens == null || documents == null, "drawn tokens have no documents");
    drawn = tokens;
    return this;
  }

  /**
   * Adds the tokens that do not fill all streams, as segments that continue the last stream.
   *
   * @return this data set
   */
  public StreamDataset withRest() {
    long done = streamLength * streams;
    if (documents == null && done < part.length() - 1) {
      rest = fixed(part.from(done), 1, sequenceLength).withSplits(splits);
    }
    return this;
  }

  /**
   * {@return the number of tokens that each stream predicts in one pass, or with documents the
   * number that all rows predict together}
   */
  public long streamLength() {
    return streamLength;
  }

  @Override
  public Iterable<Batch> getData(NDManager manager) {
    Iterable<Batch> all = () -> batches(manager, passes++, 0);
    return rest == null ? all : Iterables.concat(all, rest.getData(manager));
  }

  /**
   * {@return the batches of a pass, starting at a position in each stream}
   *
   * @param manager each batch gets a submanager of it, which the batch closes
   * @param pass the pass, from 0
   * @param from the progress of the batch before, or 0
   */
  public Iterator<Batch> batches(NDManager manager, int pass, long from) {
    if (documents != null) {
      return documentBatches(documents, manager, pass, from);
    }
    return new AbstractIterator<>() {
      private long position = from;

      @Override
      protected Batch computeNext() {
        long left = streamLength - position;
        if (left == 0) {
          return endOfData();
        }
        int length = (int) Math.min(length(pass, position), left);
        Batch batch =
            batch(
                manager,
                tokens(position, length + 1),
                null,
                position + length,
                (long) streams * length,
                false);
        position += length;
        return batch;
      }
    };
  }

  private Iterator<Batch> documentBatches(
      DocumentSegments documents, NDManager manager, int pass, long from) {
    Iterator<DocumentSegments.Segment> segments = documents.segments(pass);
    return new AbstractIterator<>() {
      private long position;

      @Override
      protected Batch computeNext() {
        while (segments.hasNext()) {
          DocumentSegments.Segment segment = segments.next();
          position += segment.predicted();
          if (position > from) {
            return batch(
                manager,
                documents.tokens(segment),
                documents.weights(segment),
                position,
                segment.predicted(),
                segment.from() == 0);
          }
        }
        return endOfData();
      }
    };
  }

  private int length(int pass, long position) {
    if (seed == null) {
      return sequenceLength;
    }
    Random random = new Random(Seeds.mix(seed, pass, position));
    double mean =
        random.nextDouble() < FULL_LENGTH_PROBABILITY ? sequenceLength : sequenceLength / 2.0;
    int drawn = (int) (mean + LENGTH_DEVIATION * random.nextGaussian());
    return Math.min(Math.max(drawn, MIN_LENGTH), sequenceLength);
  }

  private Batch batch(
      NDManager parent,
      long[] tokens,
      float @Nullable [] weights,
      long progress,
      long predicted,
      boolean starts) {
    NDManager manager = parent.newSubManager();
    Shape shape = new Shape(streams, tokens.length / streams);
    NDArray text =
        drawn == null
            ? send(packed(tokens), shape, manager).toType(DataType.INT64, false)
            : manager.create(tokens, shape);
    NDArray data = text.get(":, :-1"); // (B, T+1) -> (B, T)
    NDArray label = text.get(":, 1:"); // (B, T+1) -> (B, T)
    NDList labels =
        splits.isEmpty() ? new NDList(label) : ClusterLabels.of(label, labels(tokens), splits);
    if (weights != null) {
      labels.add(manager.create(weights, label.getShape()));
    }
    return new TokenBatch(
        manager, new NDList(data), labels, streams, progress, streamLength, predicted, starts);
  }

  /** Copies tokens to the manager's device without waiting for the work of a GPU. */
  private NDArray send(ByteBuffer tokens, Shape shape, NDManager manager) {
    if (!manager.getDevice().isGpu()) {
      return manager.create(tokens, shape, type);
    }
    try (NDManager host = manager.newSubManager(Device.cpu());
        NDArray like = manager.create(new Shape(1), type)) {
      NDArray onHost = host.create(tokens, shape, type);
      return Operators.get().call("to_device", new NDList(like), new NDList(onHost));
    }
  }

  /** Packs tokens into few bytes, because the copy to the GPU is then short. */
  private ByteBuffer packed(long[] tokens) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(tokens.length * type.getNumOfBytes())
            .order(ByteOrder.nativeOrder());
    for (long token : tokens) {
      if (type == DataType.UINT8) {
        bytes.put((byte) token);
      } else {
        bytes.putInt((int) token);
      }
    }
    return bytes.flip();
  }

  private static DataType type(TextVocabulary vocabulary) {
    // DJL 0.35.1 crashes the process if it creates an array of 16-bit integers
    return vocabulary.size() <= 1 << Byte.SIZE ? DataType.UINT8 : DataType.INT32;
  }

  /** Reads tokens, stream by stream. */
  private long[] tokens(long position, int length) {
    long[] tokens = new long[streams * length];
    int[] row = new int[length];
    for (int stream = 0; stream < streams; stream++) {
      long from = stream * streamLength + position;
      if (drawn == null) {
        part.read(from, row);
      }
      for (int t = 0; t < length; t++) {
        tokens[stream * length + t] = drawn == null ? row[t] : drawn.applyAsLong(from + t);
      }
    }
    return tokens;
  }

  /** Returns the tokens without the first of each stream. */
  private long[] labels(long[] tokens) {
    int time = tokens.length / streams;
    return IntStream.range(0, tokens.length)
        .filter(i -> i % time > 0)
        .mapToLong(i -> tokens[i])
        .toArray();
  }

  @Override
  public void prepare(Progress progress) {
    // the corpus is mapped into memory
  }
}
