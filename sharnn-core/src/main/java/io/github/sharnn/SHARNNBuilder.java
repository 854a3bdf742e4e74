package io.github.sharnn;

import io.github.sharnn.vocabulary.TextVocabulary;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Options of a {@link SHARNN}. Every default is the paper's, so {@code SHARNN.builder().build()} is
 * its model with one attention layer.
 */
public final class SHARNNBuilder {

  private TextVocabulary vocabulary = TextVocabulary.bytes();
  private int vocabularySize = 256;
  private int embeddingSize = 1024;
  private int boomSize = 4096;
  private int layers = 4;
  private int[] attentionLayers; // null: the second-to-last
  private List<Integer> droppedAttention = List.of();
  private int memoryLength = 5000;
  private float inputDropout = 0.1f;
  private float hiddenDropout = 0.1f;
  private float outputDropout = 0.1f;
  private float weightDrop;
  private boolean boomShortcut = true;
  private boolean keyProjection;
  private boolean valueProjection;
  private boolean tiedOutput = true;
  private boolean collapsed;
  private int[] splits = {}; // null: by the vocabulary's size

  SHARNNBuilder() {}

  /**
   * Sets the number of tokens V. Default 256, every byte.
   *
   * @param size at least 1
   * @return this builder
   */
  public SHARNNBuilder vocabularySize(int size) {
    vocabularySize = size;
    return this;
  }

  /**
   * Sets what the tokens stand for, and their number. Default bytes.
   *
   * @param tokens the vocabulary
   * @return this builder
   */
  public SHARNNBuilder vocabulary(TextVocabulary tokens) {
    vocabulary = tokens;
    vocabularySize = Math.toIntExact(tokens.size());
    return this;
  }

  /**
   * Sets the size C of embeddings, LSTM states and attention. Default 1024. For FLOAT16 on a GPU
   * take a multiple of 128 up to 1024: for others cuDNN has slower LSTMs.
   *
   * @param size at least 1
   * @return this builder
   */
  public SHARNNBuilder embeddingSize(int size) {
    embeddingSize = size;
    return this;
  }

  /**
   * Sets the inner size H of the Boom. Default 4096.
   *
   * @param size at least 1; a multiple of {@code embeddingSize} with the Boom's shortcut
   * @return this builder
   */
  public SHARNNBuilder boomSize(int size) {
    boomSize = size;
    return this;
  }

  /**
   * Sets the number of blocks L. Default 4.
   *
   * @param count from 1 to 1000
   * @return this builder
   */
  public SHARNNBuilder layers(int count) {
    layers = count;
    return this;
  }

  /**
   * Sets the layers that have attention. Default the second-to-last, {@code layers - 2}, or the
   * only one of a single layer.
   *
   * @param indices 0-based layers, in any order; none for a model without attention
   * @return this builder
   */
  public SHARNNBuilder attentionLayers(int... indices) {
    attentionLayers = indices.clone();
    droppedAttention = List.of();
    return this;
  }

  /** Sets whether {@link Overparam} has been folded away, for a variant of a config. */
  SHARNNBuilder collapsed(boolean folded) {
    collapsed = folded;
    return this;
  }

  /** Sets the layers whose attention was dropped, of a config that is built on. */
  SHARNNBuilder droppedAttention(List<Integer> indices) {
    droppedAttention = indices;
    return this;
  }

  /**
   * Sets the largest number of positions that attention sees. Default 5000.
   *
   * @param positions at least 0
   * @return this builder
   */
  public SHARNNBuilder memoryLength(int positions) {
    memoryLength = positions;
    return this;
  }

  /**
   * Sets the dropout rate on the embeddings. Default 0.1.
   *
   * @param rate in [0, 1)
   * @return this builder
   */
  public SHARNNBuilder inputDropout(float rate) {
    inputDropout = rate;
    return this;
  }

  /**
   * Sets the dropout rate inside the blocks. Default 0.1.
   *
   * @param rate in [0, 1)
   * @return this builder
   */
  public SHARNNBuilder hiddenDropout(float rate) {
    hiddenDropout = rate;
    return this;
  }

  /**
   * Sets the dropout rate before the logits. Default 0.1.
   *
   * @param rate in [0, 1)
   * @return this builder
   */
  public SHARNNBuilder outputDropout(float rate) {
    outputDropout = rate;
    return this;
  }

  /**
   * Sets input, hidden and output dropout at once.
   *
   * @param rate in [0, 1)
   * @return this builder
   */
  public SHARNNBuilder dropouts(float rate) {
    return inputDropout(rate).hiddenDropout(rate).outputDropout(rate);
  }

  /**
   * Sets the dropout rate on the LSTMs' hidden-to-hidden matrices, drawn once per segment. Default
   * 0.
   *
   * @param rate in [0, 1)
   * @return this builder
   */
  public SHARNNBuilder weightDrop(float rate) {
    weightDrop = rate;
    return this;
  }

  /**
   * Chooses between the Boom's shortcut (chunks summed) and a second linear layer. Default true,
   * the shortcut.
   *
   * @param shortcut false for the second linear layer
   * @return this builder
   */
  public SHARNNBuilder boomShortcut(boolean shortcut) {
    boomShortcut = shortcut;
    return this;
  }

  /**
   * Sends attention keys through a linear layer. Default false.
   *
   * @param project whether to
   * @return this builder
   */
  public SHARNNBuilder keyProjection(boolean project) {
    keyProjection = project;
    return this;
  }

  /**
   * Sends attention values through a linear layer. Default false.
   *
   * @param project whether to
   * @return this builder
   */
  public SHARNNBuilder valueProjection(boolean project) {
    valueProjection = project;
    return this;
  }

  /**
   * Uses the embedding matrix for the logits too. Default true.
   *
   * @param tied false for an output matrix of its own
   * @return this builder
   */
  public SHARNNBuilder tiedOutput(boolean tied) {
    tiedOutput = tied;
    return this;
  }

  /**
   * Splits the softmax of a large vocabulary, whose tokens are sorted by frequency: [0, splits[0])
   * is the head, and each split begins a tail. In training a tail costs only where a label lies in
   * it. Default none: one softmax over all tokens.
   *
   * @param firstTokens ascending, each above 0 and below {@code vocabularySize}
   * @return this builder
   */
  public SHARNNBuilder splits(int... firstTokens) {
    splits = firstTokens.clone();
    return this;
  }

  /**
   * Splits the softmax as the reference does, by {@code vocabularySize}: see {@link
   * SHARNNConfig#defaultSplits}.
   *
   * @return this builder
   */
  public SHARNNBuilder defaultSplits() {
    splits = null;
    return this;
  }

  /**
   * Checks and returns the options alone.
   *
   * @return the config
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public SHARNNConfig config() {
    int[] attention =
        attentionLayers == null ? new int[] {Math.max(layers - 2, 0)} : attentionLayers;
    return new SHARNNConfig(
        vocabularySize,
        embeddingSize,
        boomSize,
        layers,
        IntStream.of(attention).boxed().toList(),
        memoryLength,
        inputDropout,
        hiddenDropout,
        outputDropout,
        weightDrop,
        boomShortcut,
        keyProjection,
        valueProjection,
        tiedOutput,
        collapsed,
        droppedAttention,
        splits == null
            ? SHARNNConfig.defaultSplits(vocabularySize)
            : IntStream.of(splits).boxed().toList());
  }

  /**
   * Builds the model.
   *
   * @return the model, uninitialized
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public SHARNN build() {
    return SHARNN.of(config(), vocabulary);
  }
}
