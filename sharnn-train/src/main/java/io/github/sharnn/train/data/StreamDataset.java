package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.translate.Batchifier;
import ai.djl.util.Progress;
import com.google.common.collect.AbstractIterator;
import com.google.common.collect.Iterables;
import io.github.sharnn.softmax.ClusterLabels;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;

/**
 * A part of a corpus as B contiguous streams, read side by side in segments: row b of one batch
 * goes on where row b of the batch before ended, so that recurrent state can be carried from batch
 * to batch.
 *
 * <p>With {@link #random} each segment's length is drawn as in the reference: {@code
 * sequenceLength} with probability 0.95, else half of it; then from a normal distribution around
 * that with deviation 5, at least 5 and at most {@code sequenceLength}. With {@link #fixed} every
 * segment has {@code sequenceLength} steps. The last segment has what is left of the streams; the
 * tokens that do not fill all streams (fewer than B) are left out.
 *
 * <p>A random length is a function of seed, pass and position alone, so that a run can go on in the
 * middle of a pass with nothing but these three.
 *
 * <ul>
 *   <li>Data: tokens {@code (B, T)} INT64, of bytes the unsigned numbers
 *   <li>Labels: {@code (B, T)} INT64, the tokens one position later; with splits what {@link
 *       ClusterLabels} adds to them
 * </ul>
 */
public final class StreamDataset implements Dataset {

  private static final double FULL_LENGTH_PROBABILITY = 0.95;
  private static final double LENGTH_DEVIATION = 5;
  private static final int MIN_LENGTH = 5;

  private final Corpus.Part part;
  private final DataType type; // that tokens are copied as
  private final int streams;
  private final int sequenceLength;
  private final Long seed; // null: fixed lengths
  private List<Integer> splits = List.of();
  private LongUnaryOperator drawn; // null: the part's bytes
  private StreamDataset rest; // null: left out
  private final long streamLength;
  private int passes; // over the data, begun so far

  private StreamDataset(Corpus.Part part, int streams, int sequenceLength, Long seed) {
    checkArgument(streams >= 1, "the number of streams must be at least 1, but is %s", streams);
    checkArgument(
        sequenceLength >= 1, "sequenceLength must be at least 1, but is %s", sequenceLength);
    streamLength = (part.length() - 1) / streams;
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
   * Creates a dataset of segments of random length, for training. Each pass over the data has other
   * lengths.
   *
   * @param part the tokens
   * @param streams number of streams B
   * @param sequenceLength longest segment T (bptt)
   * @param seed decides all lengths
   * @return the dataset
   * @throws IllegalArgumentException if a number is below 1 or the part is too short
   */
  public static StreamDataset random(Corpus.Part part, int streams, int sequenceLength, long seed) {
    return new StreamDataset(part, streams, sequenceLength, seed);
  }

  /**
   * Creates a dataset of segments of one length, for evaluation.
   *
   * @param part the tokens
   * @param streams number of streams B
   * @param sequenceLength length T of every segment but the last
   * @return the dataset
   * @throws IllegalArgumentException if a number is below 1 or the part is too short
   */
  public static StreamDataset fixed(Corpus.Part part, int streams, int sequenceLength) {
    return new StreamDataset(part, streams, sequenceLength, null);
  }

  /**
   * Adds to the labels what a model with splits needs to know of them.
   *
   * @param firstTokens the model's {@link io.github.sharnn.SHARNNConfig#splits}; empty for none
   * @return this dataset
   */
  public StreamDataset withSplits(List<Integer> firstTokens) {
    splits = List.copyOf(firstTokens);
    return this;
  }

  /** Takes a function of the position for the tokens, where a part of bytes can't hold them. */
  public StreamDataset drawing(LongUnaryOperator tokens) {
    drawn = tokens;
    return this;
  }

  /**
   * Adds the tokens that do not fill all streams, as segments of one stream alone: they begin where
   * the last stream ends.
   */
  public StreamDataset withRest() {
    long done = streamLength * streams;
    if (done < part.length() - 1) {
      rest = fixed(part.from(done), 1, sequenceLength).withSplits(splits);
    }
    return this;
  }

  /**
   * Returns how many tokens each stream predicts in one pass.
   *
   * @return the length of a stream
   */
  public long streamLength() {
    return streamLength;
  }

  @Override
  public Iterable<Batch> getData(NDManager manager) {
    Iterable<Batch> all = () -> batches(manager, passes++, 0);
    return rest == null ? all : Iterables.concat(all, rest.getData(manager));
  }

  /** The rest of a pass, counted from 0, from a position in each stream on. */
  public Iterator<Batch> batches(NDManager manager, int pass, long from) {
    return new AbstractIterator<>() {
      private long position = from;

      @Override
      protected Batch computeNext() {
        long left = streamLength - position;
        if (left == 0) {
          return endOfData();
        }
        int length = (int) Math.min(length(pass, position), left);
        Batch batch = batch(manager, position, length);
        position += length;
        return batch;
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

  private Batch batch(NDManager parent, long position, int length) {
    NDManager manager = parent.newSubManager();
    Shape shape = new Shape(streams, length + 1);
    // before anything is copied, for which the device may be waited for
    long[] tokens = splits.isEmpty() && drawn == null ? null : tokens(position, length + 1);
    NDArray text =
        drawn == null
            ? manager.create(read(position, length + 1), shape, type).toType(DataType.INT64, false)
            : manager.create(tokens, shape);
    NDArray data = text.get(":, :-1"); // (B, T+1) -> (B, T)
    NDArray label = text.get(":, 1:"); // (B, T+1) -> (B, T)
    return new Batch(
        manager,
        new NDList(data),
        splits.isEmpty() ? new NDList(label) : ClusterLabels.of(label, labels(tokens), splits),
        streams,
        Batchifier.STACK,
        Batchifier.STACK,
        position + length,
        streamLength);
  }

  /** As few bytes as hold the tokens: a copy this small does not make a GPU wait. */
  private ByteBuffer read(long position, int length) {
    int width = type.getNumOfBytes();
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(streams * length * width).order(ByteOrder.nativeOrder());
    if (part.vocabulary() == TextVocabulary.bytes()) {
      byte[] row = new byte[length];
      for (int stream = 0; stream < streams; stream++) {
        part.read(stream * streamLength + position, row);
        bytes.put(row);
      }
      return bytes.flip();
    }
    int[] row = new int[length];
    for (int stream = 0; stream < streams; stream++) {
      part.read(stream * streamLength + position, row);
      for (int token : row) {
        if (type == DataType.UINT8) {
          bytes.put((byte) token);
        } else {
          bytes.putInt(token);
        }
      }
    }
    return bytes.flip();
  }

  private static DataType type(TextVocabulary vocabulary) {
    // DJL 0.35.1 ends the process where an array of 16 bits is made
    return vocabulary.size() <= 1 << Byte.SIZE ? DataType.UINT8 : DataType.INT32;
  }

  /** The tokens in the CPU's memory, stream by stream. */
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

  /** All tokens but each stream's first. */
  private long[] labels(long[] tokens) {
    int time = tokens.length / streams;
    return IntStream.range(0, tokens.length)
        .filter(i -> i % time > 0)
        .mapToLong(i -> tokens[i])
        .toArray();
  }

  @Override
  public void prepare(Progress progress) {
    // the corpus is mapped already
  }
}
