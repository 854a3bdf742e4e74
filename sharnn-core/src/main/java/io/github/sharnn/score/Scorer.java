package io.github.sharnn.score;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.TextModel;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A scorer of text: it gives each token's log-probability, its rank and the entropy of the
 * prediction. The scorer runs on the model's device, without dropout, and carries the state from
 * one segment of a text to the next.
 *
 * <p>The model's {@link TextVocabulary} cuts a text into tokens as it does in a corpus. A word
 * vocabulary ends the last line with {@code <eos>} even if the newline is missing. Every token is
 * scored. The model predicts the first token from a zero state and the byte {@code context}, by
 * default a newline. A text is therefore scored as the first line of a document. In contrast,
 * {@code io.github.sharnn.train.evaluate.Evaluation} does not score the first token.
 *
 * <p>A segment starts with at most {@code memoryLength - segmentLength} remembered positions, even
 * if the segment itself is shorter. The other texts of a batch therefore change a score only by
 * rounding, by less than 1e-5 per token. The segment length changes only scores of texts longer
 * than {@code memoryLength - segmentLength} tokens. With segment length 1, a token is predicted
 * from the same memory as in generation.
 *
 * <p>Many threads may share a scorer. Do not score while another thread trains the same model.
 */
public final class Scorer {

  private final TextModel model;
  private final int context;
  private final int segmentLength;
  private final Batches batches;
  private final int topSurprises;
  private final @Nullable ScoreCache cache; // null for none

  private Scorer(Builder builder) {
    model = new TextModel(builder.model);
    byte[] before = {builder.context == null ? defaultContext() : builder.context};
    int[] tokens = model.encode("context", before);
    context = tokens[tokens.length - 1];
    topSurprises = builder.topSurprises;
    checkArgument(
        topSurprises >= 1, "topSurprises must be at least 1 token, but is %s", topSurprises);
    SHARNNConfig config = SHARNN.of(model.model()).config();
    segmentLength =
        builder.segmentLength == null
            ? Batches.defaultSegmentLength(config)
            : builder.segmentLength;
    checkArgument(
        segmentLength >= 1, "segmentLength must be at least 1 token, but is %s", segmentLength);
    checkArgument(
        builder.batchSize >= 1, "batchSize must be at least 1 text, but is %s", builder.batchSize);
    batches = Batches.of(config, builder.batchSize, segmentLength);
    checkArgument(
        builder.cacheBytes >= 0, "cacheBytes must be at least 0, but is %s", builder.cacheBytes);
    cache = builder.cacheBytes == 0 ? null : new ScoreCache(builder.cacheBytes);
  }

  private byte defaultContext() {
    return (byte) (model.vocabulary().encode("\n").length > 0 ? '\n' : '.');
  }

  /**
   * {@return a builder of a scorer}
   *
   * @param model a model with a {@link SHARNN}; the caller closes it
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /**
   * {@return the score of a text}
   *
   * @param text the text, possibly empty
   * @throws IllegalArgumentException if the model's vocabulary lacks a byte of the text's UTF-8
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public Score score(String text) {
    return score(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * {@return the score of some bytes}
   *
   * @param text the bytes, possibly none
   * @throws IllegalArgumentException if the model's vocabulary lacks a byte
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public Score score(byte[] text) {
    return scoreAll(List.of(text)).get(0);
  }

  /**
   * Scores texts of any lengths, {@code batchSize} of similar length side by side.
   *
   * @param texts the bytes of each
   * @return a score for each text in the same order, the same as from a separate call
   * @throws IllegalArgumentException if the model's vocabulary lacks a byte
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public List<Score> scoreAll(List<byte[]> texts) {
    return batches(texts, ScoringBatch::score);
  }

  /**
   * Scores texts as {@link #scoreAll} does, but keeps only their totals, which takes little memory.
   *
   * @param texts the bytes of each
   * @return the totals of each text, in the same order
   * @throws IllegalArgumentException if the model's vocabulary lacks a byte
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public List<Score.Totals> totals(List<byte[]> texts) {
    Function<List<byte[]>, List<Score.Totals>> scoring =
        some -> batches(some, ScoringBatch::totals);
    return cache == null ? scoring.apply(texts) : cache.totals(texts, scoring);
  }

  private <T> List<T> batches(List<byte[]> texts, Function<ScoringBatch, List<T>> results) {
    Map<Integer, T> all = new TreeMap<>(); // by index, in the caller's order
    Lifetime.Lease lease = model.lifetime().lease();
    try (lease) {
      for (List<Integer> some :
          batches.of(texts.stream().mapToInt(text -> text.length).toArray())) {
        try (ScoringBatch batch =
            start(model.lifetime().manager(), some.stream().map(texts::get).toList())) {
          Iterator<T> scored = results.apply(batch).iterator();
          some.forEach(text -> all.put(text, scored.next()));
        }
      }
    }
    return List.copyOf(all.values());
  }

  /**
   * {@return the state before any text, from which {@link #totalsAfter} scores a first text} The
   * state is a value and holds no native memory.
   */
  public ScoringState initialState() {
    return ScoringState.initial(context, SHARNN.of(model.model()).config());
  }

  /**
   * Scores texts that follow other texts, such as the next lines of several hosts, side by side. A
   * text after {@link #initialState} gets the totals that {@link #totals} gives. A text begins a
   * new segment.
   *
   * @param before the state before each text, of this scorer or of one with equal options;
   *     unchanged
   * @param texts the bytes of each
   * @return the totals of each text and the state after it, in the same order
   * @throws IllegalArgumentException if the lists differ in size, a state is of a model of another
   *     shape, or the model's vocabulary lacks a byte
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public List<CarriedScore> totalsAfter(List<ScoringState> before, List<byte[]> texts) {
    checkArgument(
        before.size() == texts.size(),
        "before must have a state for each of the %s texts, but has %s",
        texts.size(),
        before.size());
    SHARNNConfig config = SHARNN.of(model.model()).config();
    before.forEach(state -> state.check(config));
    Lifetime.Lease lease = model.lifetime().lease();
    try (lease) {
      return new CarriedTexts(this, before, texts).score();
    }
  }

  /** Scores texts with tokens after states with equal numbers of positions, the longest first. */
  List<CarriedScore> score(List<ScoringState> before, List<Segments.Text> longestFirst) {
    SHARNN block = SHARNN.initialized(model.model());
    try (ScoringLoop loop =
        new ScoringLoop(block, model.lifetime().manager(), before, segmentLength)) {
      return new CarriedBatch(loop, segmentLength, longestFirst, this::newSums).score();
    }
  }

  /**
   * Scores a text of any length while reading it (streaming). Memory does not grow with the text.
   *
   * <p>When the stream pauses, so that {@link InputStream#available} is 0, the tokens so far are
   * scored without waiting for a full segment. The scores are the same as without a pause. The
   * scorer waits for full segments only if {@code segmentLength} is larger than the model's memory.
   * Closing the model waits for the scoring, but not for a stream that pauses.
   *
   * @param text the bytes, read to the end and left open
   * @param callback receives each token's score in order, a segment or less at a time
   * @return the totals
   * @throws IOException if the text can't be read
   * @throws IllegalArgumentException if the model's vocabulary lacks a byte
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public Score.Totals score(InputStream text, Consumer<TokenScore> callback) throws IOException {
    try (ScoringLoop loop = loop(model.lifetime())) {
      return new LiveScoring(model, segmentLength, scoresParts(), loop, newSums(), callback)
          .score(text);
    }
  }

  private ScoringLoop loop(Lifetime lifetime) {
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      return loop(lifetime.manager(), 1);
    }
  }

  /** {@return the token from which the first token of a text is predicted} */
  public int contextToken() {
    return context;
  }

  /** Tells if a part of a segment leaves enough memory for the rest of the segment. */
  boolean scoresParts() {
    SHARNNConfig config = SHARNN.of(model.model()).config();
    return !config.hasAttention() || segmentLength <= config.memoryLength();
  }

  Batches batches() {
    return batches;
  }

  Sums newSums() {
    return new Sums(topSurprises);
  }

  TextModel model() {
    return model;
  }

  /** Starts texts side by side on the manager's device. */
  ScoringBatch start(NDManager manager, List<byte[]> texts) {
    List<Segments.Text> encoded = texts.stream().map(text -> Segments.encode(model, text)).toList();
    return new ScoringBatch(loop(manager, texts.size()), segmentLength, topSurprises, encoded);
  }

  private ScoringLoop loop(NDManager manager, int streams) {
    return new ScoringLoop(
        SHARNN.initialized(model.model()), manager, streams, context, segmentLength);
  }

  /** A builder of a {@link Scorer}. */
  public static final class Builder {

    private final Model model;
    private @Nullable Byte context;
    private @Nullable Integer segmentLength;
    private int batchSize = 64;
    private int topSurprises = 3;
    private long cacheBytes;

    private Builder(Model model) {
      this.model = checkNotNull(model, "model must not be null");
    }

    /**
     * Sets the byte before a text. The model predicts a text's first token from this byte. Default
     * newline, or a full stop if the vocabulary drops white space.
     *
     * @param before a byte that the model has a token for; it is not scored
     * @return this builder
     */
    public Builder context(byte before) {
      context = before;
      return this;
    }

    /**
     * Sets how many tokens go through the model at once. The default is 256 or half of the memory,
     * if that is less, and fewer if the vocabulary has more than 16,384 tokens. Longer segments are
     * faster and take more memory: {@code batchSize * segmentLength * (memoryLength +
     * segmentLength)} numbers for each attention layer.
     *
     * @param tokens at least 1
     * @return this builder
     */
    public Builder segmentLength(int tokens) {
      segmentLength = tokens;
      return this;
    }

    /**
     * Sets how many texts go through the model side by side at most. Default 64. Fewer long texts
     * go side by side if 2^26 logits or attention weights are exceeded. Texts of similar length
     * share a batch.
     *
     * @param texts at least 1
     * @return this builder
     */
    public Builder batchSize(int texts) {
      batchSize = texts;
      return this;
    }

    /**
     * Sets how many of a text's most surprising tokens {@link Score.Totals#top} lists. Default 3.
     *
     * @param tokens at least 1
     * @return this builder
     */
    public Builder topSurprises(int tokens) {
      topSurprises = tokens;
      return this;
    }

    /**
     * Keeps the totals of texts already scored, so that {@link Scorer#totals} does not score an
     * equal text again. Default 0, for no cache. After further training, build a new scorer.
     *
     * @param bytes the memory for texts and totals; the texts unused for the longest time make room
     * @return this builder
     */
    public Builder cacheBytes(long bytes) {
      cacheBytes = bytes;
      return this;
    }

    /**
     * {@return the scorer}
     *
     * @throws IllegalArgumentException if an option breaks its rule, or the model holds no SHARNN,
     *     or one of bytes with a {@code vocabularySize} above 256
     */
    public Scorer build() {
      return new Scorer(this);
    }
  }
}
