package io.github.sharnn.score;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import com.google.common.collect.Lists;
import com.google.common.primitives.ImmutableIntArray;
import com.google.common.primitives.Ints;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenEncoder;
import io.github.sharnn.vocabulary.WordCount;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Scores text: for each token its log-probability, its rank and the entropy of the prediction. On
 * the device of the model's manager, without dropout and with state carried over a text's segments.
 *
 * <p>A text's tokens are those of the model's {@link TextVocabulary}, as in a corpus: to words, a
 * last line ends with {@code <eos>} also where its newline is missing. Every token is scored. The
 * model knows no beginning of a text, so the first token is predicted from a zero state and the
 * byte given as {@code context}, a newline unless set: a text's score is that of a first line.
 * {@code io.github.sharnn.train.evaluate.Evaluation} leaves a first token out.
 *
 * <p>A segment starts with at most {@code memoryLength - segmentLength} remembered positions,
 * whatever its own length. So a text's score depends neither on the other texts of its batch (but
 * for rounding, below 1e-5 a token) nor on how it is read, and on the segment length only in a text
 * of more than {@code memoryLength - segmentLength} tokens; a generator's view is that of segment
 * length 1.
 *
 * <p>Many threads may share a scorer. Not while its model is being trained.
 */
public final class Scorer {

  private static final int BYTES = 256;
  private static final int LONGEST_DEFAULT_SEGMENT = 256; // bounds the activations
  private static final int MOST_LOGITS = 1 << 26; // 256 MiB at once, and as much for each use

  private final Model model;
  private final TextVocabulary vocabulary;
  private final int context;
  private final int segmentLength;
  private final int batchSize;

  private Scorer(Builder builder) {
    model = builder.model;
    SHARNNConfig config = SHARNN.of(model).config();
    vocabulary = SHARNN.of(model).vocabulary();
    int size = config.vocabularySize();
    checkArgument(
        size <= BYTES || vocabulary != TextVocabulary.bytes(),
        "model %s must have a vocabularySize of at most %s, since its tokens are bytes, but has %s:"
            + " build it with SHARNN.builder().vocabulary(...), or score tokens from its logits",
        model.getName(),
        BYTES,
        size);
    byte last = builder.context == null ? defaultContext(vocabulary) : builder.context;
    int[] before = vocabulary.encode(new byte[] {last});
    checkArgument(
        before.length > 0,
        "context must be a byte that the model's %s have a token for, but %s has none: give another,"
            + " such as a letter",
        vocabulary,
        Byte.toUnsignedInt(last));
    context = before[before.length - 1];
    checkArgument(
        context < size,
        "context must lie between 0 and vocabularySize - 1 (%s), but is %s: give a byte that the"
            + " model knows, the likeliest before a text",
        size - 1,
        context);
    batchSize = builder.batchSize;
    checkArgument(batchSize >= 1, "batchSize must be at least 1 text, but is %s", batchSize);
    segmentLength =
        builder.segmentLength == null
            ? defaultSegmentLength(config, batchSize)
            : builder.segmentLength;
    checkArgument(
        segmentLength >= 1, "segmentLength must be at least 1 token, but is %s", segmentLength);
  }

  private static byte defaultContext(TextVocabulary vocabulary) {
    return (byte) (vocabulary.encode("\n").length > 0 ? '\n' : '.');
  }

  private static int defaultSegmentLength(SHARNNConfig config, int batchSize) {
    // within half of the window every token sees at least the other half
    int half = config.hasAttention() ? config.memoryLength() / 2 : LONGEST_DEFAULT_SEGMENT;
    long fitting = MOST_LOGITS / ((long) batchSize * config.vocabularySize());
    return (int) Math.max(Math.min(Math.min(half, LONGEST_DEFAULT_SEGMENT), fitting), 1);
  }

  /**
   * Starts a scorer: context newline, segments of 256 tokens or half of a shorter memory, fewer
   * where the vocabulary is large, batches of 16 texts.
   *
   * @param model a model with a {@link SHARNN}; it stays the caller's to close
   * @return the builder
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /**
   * Scores a text.
   *
   * @param text the text, as UTF-8; may be empty
   * @return the score, of its UTF-8 bytes' tokens
   * @throws IllegalArgumentException if a byte is outside the vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public Score score(String text) {
    return score(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Scores bytes.
   *
   * @param text the bytes, of a model of bytes each in [0, V); may be empty
   * @return the score
   * @throws IllegalArgumentException if a byte is outside the vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public Score score(byte[] text) {
    return scoreAll(List.of(text)).get(0);
  }

  /**
   * Scores texts of any lengths, {@code batchSize} side by side.
   *
   * @param texts the bytes of each, of a model of bytes in [0, V)
   * @return a score for each, as a call of its own would give it
   * @throws IllegalArgumentException if a byte is outside the vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public List<Score> scoreAll(List<byte[]> texts) {
    List<Score> scores = new ArrayList<>();
    for (List<byte[]> some : Lists.partition(texts, batchSize)) {
      try (ScoringBatch batch = start(model.getNDManager(), some)) {
        while (batch.hasNext()) {
          batch.accept(batch.forward(batch.next()));
        }
        scores.addAll(batch.scores());
      }
    }
    return scores;
  }

  /**
   * Scores a text of any length as it is read; memory does not grow with it.
   *
   * @param text the bytes, of a model of bytes each in [0, V); read to the end and left open
   * @param callback receives each token's score in order, a segment at a time
   * @return the totals
   * @throws IOException if the text can't be read
   * @throws IllegalArgumentException if a byte is outside the vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public Score.Totals score(InputStream text, Consumer<TokenScore> callback) throws IOException {
    Score.Sums sums = new Score.Sums();
    try (ScoringLoop loop = loop(model.getNDManager(), 1)) {
      Segments segments =
          new Segments(
              segment -> {
                NDList inputs = loop.inputs(List.of(segment));
                for (TokenScore next : loop.accept(loop.forward(inputs)).get(0)) {
                  sums.add(next);
                  callback.accept(next);
                }
              });
      for (byte[] some = text.readNBytes(segmentLength);
          some.length > 0;
          some = text.readNBytes(segmentLength)) {
        segments.write(some);
      }
      return sums.totals(segments.end());
    }
  }

  /** A text's tokens and its length. */
  record Text(int[] tokens, Perplexity.Units units) {}

  private Text text(byte[] bytes) {
    List<int[]> tokens = new ArrayList<>();
    Segments segments = new Segments(tokens::add);
    segments.write(bytes);
    Perplexity.Units units = segments.end();
    return new Text(Ints.concat(tokens.toArray(int[][]::new)), units);
  }

  /** A text's tokens, a segment at a time. */
  private final class Segments {

    private final Consumer<int[]> consumer;
    private final TokenEncoder encoder = vocabulary.encoder(this::add);
    private final WordCount words = new WordCount();
    private ImmutableIntArray.Builder segment = ImmutableIntArray.builder();
    private int filled;
    private long bytes;
    private long tokens;

    Segments(Consumer<int[]> consumer) {
      this.consumer = consumer;
    }

    private void add(int token) {
      segment.add(token);
      filled++;
      tokens++;
      if (filled == segmentLength) {
        hand();
      }
    }

    private void hand() {
      int[] full = segment.build().toArray();
      segment = ImmutableIntArray.builder();
      filled = 0;
      consumer.accept(full);
    }

    void write(byte[] text) {
      encoder.write(text, 0, text.length);
      words.write(text, 0, text.length);
      bytes += text.length;
    }

    /** Hands on the last segment and returns the length of the text. */
    Perplexity.Units end() {
      encoder.end();
      if (filled > 0) {
        hand();
      }
      return new Perplexity.Units(bytes, tokens, words.words(), encoder.lostBytes());
    }
  }

  Model model() {
    return model;
  }

  /** Starts texts side by side on the manager's device. */
  ScoringBatch start(NDManager manager, List<byte[]> texts) {
    List<Text> encoded = texts.stream().map(this::text).toList();
    return new ScoringBatch(loop(manager, texts.size()), segmentLength, encoded);
  }

  private ScoringLoop loop(NDManager manager, int streams) {
    SHARNN block = SHARNN.of(model);
    checkState(
        block.isInitialized(),
        "model %s must have weights before it scores: train it or get it from SHARNN.load",
        model.getName());
    return new ScoringLoop(block, manager, streams, context, segmentLength);
  }

  /** Options of a {@link Scorer}. */
  public static final class Builder {

    private final Model model;
    private Byte context; // null: by the vocabulary
    private Integer segmentLength; // null: by the memory
    private int batchSize = 16;

    private Builder(Model model) {
      this.model = checkNotNull(model, "model must not be null");
    }

    /**
     * Sets the byte whose token a text's first token is predicted from. Default newline, or a full
     * stop where the vocabulary drops white space.
     *
     * @param before of a model of bytes in [0, V); it is not scored
     * @return this builder
     */
    public Builder context(byte before) {
      context = before;
      return this;
    }

    /**
     * Sets how many tokens go through the model at once. Default 256, or half of a shorter memory,
     * and no more than make 2^26 logits with the batch: more is faster and takes more memory,
     * {@code batchSize * segmentLength * (memoryLength + segmentLength)} numbers for each attention
     * layer.
     *
     * @param tokens at least 1
     * @return this builder
     */
    public Builder segmentLength(int tokens) {
      segmentLength = tokens;
      return this;
    }

    /**
     * Sets how many texts go through the model side by side. Default 16.
     *
     * @param texts at least 1
     * @return this builder
     */
    public Builder batchSize(int texts) {
      batchSize = texts;
      return this;
    }

    /**
     * Builds the scorer.
     *
     * @return the scorer
     * @throws IllegalArgumentException naming the option, its rule and its value, or if the model
     *     holds no SHARNN, or one of bytes and more than 256 tokens
     */
    public Scorer build() {
      return new Scorer(this);
    }
  }
}
