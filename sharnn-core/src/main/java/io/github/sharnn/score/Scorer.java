package io.github.sharnn.score;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import com.google.common.collect.Lists;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Scores text: for each byte its log-probability, its rank and the entropy of the prediction. On
 * the device of the model's manager, without dropout and with state carried over a text's segments.
 *
 * <p>Every byte is scored. A model of bytes knows no beginning of a text, so the first byte is
 * predicted from a zero state and the byte given as {@code context}, a newline unless set: a text's
 * score is that of a first line. {@code io.github.sharnn.train.Evaluation} leaves a first byte out.
 *
 * <p>A segment starts with at most {@code memoryLength - segmentLength} remembered positions,
 * whatever its own length. So a text's score depends neither on the other texts of its batch (but
 * for rounding, below 1e-5 a byte) nor on how it is read, and on the segment length only where the
 * memory overflows; a generator's view is that of segment length 1.
 *
 * <p>Many threads may share a scorer. Not while its model is being trained.
 */
public final class Scorer {

  private static final int BYTES = 256;
  private static final int LONGEST_DEFAULT_SEGMENT = 256; // bounds the activations

  private final Model model;
  private final byte context;
  private final int segmentLength;
  private final int batchSize;

  private Scorer(Builder builder) {
    model = builder.model;
    SHARNNConfig config = SHARNN.of(model).config();
    int size = config.vocabularySize();
    checkArgument(
        size <= BYTES && SHARNN.of(builder.model).vocabulary() == TextVocabulary.bytes(),
        "model %s must have a vocabularySize of at most %s, since scored tokens are bytes, but has"
            + " %s: score other tokens from its logits",
        model.getName(),
        BYTES,
        size);
    context = builder.context;
    checkArgument(
        Byte.toUnsignedInt(context) < size,
        "context must lie between 0 and vocabularySize - 1 (%s), but is %s: give a byte that the"
            + " model knows, the likeliest before a text",
        size - 1,
        Byte.toUnsignedInt(context));
    segmentLength =
        builder.segmentLength == null ? defaultSegmentLength(config) : builder.segmentLength;
    checkArgument(
        segmentLength >= 1, "segmentLength must be at least 1 byte, but is %s", segmentLength);
    batchSize = builder.batchSize;
    checkArgument(batchSize >= 1, "batchSize must be at least 1 text, but is %s", batchSize);
  }

  private static int defaultSegmentLength(SHARNNConfig config) {
    // within half of the window every byte sees at least the other half
    int half = config.hasAttention() ? config.memoryLength() / 2 : LONGEST_DEFAULT_SEGMENT;
    return Math.min(Math.max(half, 1), LONGEST_DEFAULT_SEGMENT);
  }

  /**
   * Starts a scorer: context newline, segments of 256 bytes or half of a shorter memory, batches of
   * 16 texts.
   *
   * @param model a model with a {@link SHARNN} of at most 256 tokens; it stays the caller's to
   *     close
   * @return the builder
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /**
   * Scores a text.
   *
   * @param text the text, as UTF-8; may be empty
   * @return the score, of its UTF-8 bytes
   * @throws IllegalArgumentException if a byte is outside the vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public Score score(String text) {
    return score(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Scores bytes.
   *
   * @param text the bytes, each in [0, V); may be empty
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
   * @param texts the bytes of each, in [0, V)
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
   * @param text the bytes, each in [0, V), read to the end and left open
   * @param callback receives each byte's score in order, a segment at a time
   * @return the totals
   * @throws IOException if the text can't be read
   * @throws IllegalArgumentException if a byte is outside the vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public Score.Totals score(InputStream text, Consumer<ByteScore> callback) throws IOException {
    Score.Totals totals = Score.Totals.NONE;
    try (ScoringLoop loop = loop(model.getNDManager(), 1)) {
      for (byte[] segment = text.readNBytes(segmentLength);
          segment.length > 0;
          segment = text.readNBytes(segmentLength)) {
        for (ByteScore next : loop.accept(loop.forward(loop.inputs(List.of(segment)))).get(0)) {
          totals = totals.plus(next);
          callback.accept(next);
        }
      }
    }
    return totals;
  }

  Model model() {
    return model;
  }

  /** Starts texts side by side on the manager's device. */
  ScoringBatch start(NDManager manager, List<byte[]> texts) {
    return new ScoringBatch(loop(manager, texts.size()), segmentLength, texts);
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
    private byte context = '\n';
    private Integer segmentLength; // null: by the memory
    private int batchSize = 16;

    private Builder(Model model) {
      this.model = model;
    }

    /**
     * Sets the byte that a text's first byte is predicted from. Default newline.
     *
     * @param before in [0, V); it is not scored
     * @return this builder
     */
    public Builder context(byte before) {
      context = before;
      return this;
    }

    /**
     * Sets how many bytes go through the model at once. Default 256, or half of a shorter memory:
     * more is faster and takes more memory, {@code batchSize * segmentLength * (memoryLength +
     * segmentLength)} numbers for each attention layer.
     *
     * @param bytes at least 1
     * @return this builder
     */
    public Builder segmentLength(int bytes) {
      segmentLength = bytes;
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
     *     holds no SHARNN or one of more than 256 tokens
     */
    public Scorer build() {
      return new Scorer(this);
    }
  }
}
