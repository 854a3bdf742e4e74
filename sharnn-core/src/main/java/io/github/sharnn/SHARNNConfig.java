package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNullElse;

import ai.djl.util.JsonUtils;
import com.google.common.math.LongMath;
import com.google.common.primitives.Ints;
import io.github.sharnn.io.Records;
import io.github.sharnn.softmax.Splits;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.Serializable;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Every shape and option of a {@link SHARNN}, checked. Built by {@link SHARNN#builder()}, which
 * documents the defaults. A saved model stores {@link #toJson()}.
 *
 * @param vocabularySize number of tokens V, at least 1
 * @param embeddingSize size C of embeddings, LSTM states and attention, at least 1
 * @param boomSize inner size H of the Boom, at least 1; a multiple of C with {@code boomShortcut}
 * @param layers number of blocks L, from 1 to 1000
 * @param attentionLayers 0-based layers with attention, ascending, each below L; empty for none
 * @param memoryLength largest number of positions M that attention sees, at least 0, which leaves
 *     only the segment's own
 * @param inputDropout dropout rate on the embeddings, in [0, 1)
 * @param hiddenDropout dropout rate inside the blocks (after LSTM, attention and Boom, on queries,
 *     values, attention weights and the Boom's inner activation), in [0, 1)
 * @param outputDropout dropout rate before the logits, in [0, 1)
 * @param weightDrop dropout rate on the LSTMs' hidden-to-hidden matrices, in [0, 1)
 * @param boomShortcut whether the Boom sums chunks instead of using a second linear layer
 * @param keyProjection whether attention keys go through a linear layer
 * @param valueProjection whether attention values go through a linear layer
 * @param tiedOutput whether the logits use the embedding matrix
 * @param collapsed whether {@link Overparam} has been folded into the value scales
 * @param droppedAttention 0-based layers whose attention {@link SHARNN#withoutAttention} left out,
 *     ascending; empty if none was dropped
 * @param splits first tokens of the tails of a split softmax, ascending, each in (0, V); empty for
 *     one softmax over all tokens
 * @serial exclude
 */
public record SHARNNConfig(
    int vocabularySize,
    int embeddingSize,
    int boomSize,
    int layers,
    List<Integer> attentionLayers,
    int memoryLength,
    float inputDropout,
    float hiddenDropout,
    float outputDropout,
    float weightDrop,
    boolean boomShortcut,
    boolean keyProjection,
    boolean valueProjection,
    boolean tiedOutput,
    boolean collapsed,
    List<Integer> droppedAttention,
    List<Integer> splits)
    implements Serializable {

  private static final int MAX_LAYERS = 1000;

  /**
   * Checks every option and sorts layers. A null {@code droppedAttention} or {@code splits} is
   * empty, as in a config that was saved before these options existed.
   *
   * @param vocabularySize at least 1
   * @param embeddingSize at least 1
   * @param boomSize at least 1; with {@code boomShortcut} a multiple of {@code embeddingSize}
   * @param layers from 1 to 1000
   * @param attentionLayers each below {@code layers}, in any order
   * @param memoryLength at least 0
   * @param inputDropout in [0, 1)
   * @param hiddenDropout in [0, 1)
   * @param outputDropout in [0, 1)
   * @param weightDrop in [0, 1)
   * @param boomShortcut true for the shortcut
   * @param keyProjection true to project keys
   * @param valueProjection true to project values
   * @param tiedOutput true to tie the output to the embedding
   * @param collapsed true without {@link Overparam}
   * @param droppedAttention each below {@code layers}, none in {@code attentionLayers}
   * @param splits ascending, each above 0 and below {@code vocabularySize}
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public SHARNNConfig {
    checkPositive("vocabularySize", vocabularySize);
    checkPositive("embeddingSize", embeddingSize);
    checkPositive("boomSize", boomSize);
    checkPositive("layers", layers);
    // limits the work for a malicious config, before its weights are counted
    checkArgument(layers <= MAX_LAYERS, "layers must be at most %s, but is %s", MAX_LAYERS, layers);
    checkArgument(memoryLength >= 0, "memoryLength must be at least 0, but is %s", memoryLength);
    checkArgument(
        !boomShortcut || boomSize % embeddingSize == 0,
        "boomSize (%s) must be a multiple of embeddingSize (%s): the Boom's shortcut sums chunks of"
            + " embeddingSize; change one of them or set boomShortcut to false",
        boomSize,
        embeddingSize);
    checkArgument(attentionLayers != null, "attentionLayers must not be null: use an empty list");
    attentionLayers = sorted("attentionLayers", attentionLayers, layers);
    droppedAttention = requireNonNullElse(droppedAttention, List.of());
    droppedAttention = sorted("droppedAttention", droppedAttention, layers);
    checkArgument(
        Collections.disjoint(attentionLayers, droppedAttention),
        "droppedAttention (%s) must name no layer that has attention (%s)",
        droppedAttention,
        attentionLayers);
    splits = requireNonNullElse(splits, List.of());
    splits = Splits.check(splits, vocabularySize);
    checkRate("inputDropout", inputDropout);
    checkRate("hiddenDropout", hiddenDropout);
    checkRate("outputDropout", outputDropout);
    checkRate("weightDrop", weightDrop);
  }

  /**
   * {@return whether a layer has attention}
   *
   * @param layer the 0-based layer
   */
  public boolean hasAttention(int layer) {
    return attentionLayers.contains(layer);
  }

  /** {@return whether any layer has attention} */
  public boolean hasAttention() {
    return !attentionLayers.isEmpty();
  }

  /** {@return whether the softmax is adaptive} */
  public boolean hasSplits() {
    return !splits.isEmpty();
  }

  /**
   * {@return {@link SHARNN#parameterCount()} of the model, without building it, or {@code
   * Long.MAX_VALUE} if it is larger}
   */
  public long parameterCount() {
    return Weight.of(this).stream().mapToLong(Weight::count).reduce(0, LongMath::saturatedAdd);
  }

  /** {@return this config with {@link Overparam} folded away} */
  public SHARNNConfig withCollapsed() {
    return Records.with(this, "collapsed", true);
  }

  /**
   * {@return this config with another {@code memoryLength}} {@link SHARNN#withMemoryLength} says
   * what it costs.
   *
   * @param positions the largest number of positions that attention sees, at least 0
   * @throws IllegalArgumentException if {@code positions} is below 0
   */
  public SHARNNConfig withMemoryLength(int positions) {
    return Records.with(this, "memoryLength", positions);
  }

  /** Moves all {@code attentionLayers} to {@code droppedAttention}. */
  SHARNNConfig withoutAttention() {
    List<Integer> dropped =
        Stream.of(attentionLayers, droppedAttention).flatMap(List::stream).sorted().toList();
    return Records.with(this, "attentionLayers", List.of(), "droppedAttention", dropped);
  }

  SHARNNConfig withDropouts(float input, float hidden, float output) {
    return Records.with(
        this, "inputDropout", input, "hiddenDropout", hidden, "outputDropout", output);
  }

  SHARNNConfig withWeightDrop(float rate) {
    return Records.with(this, "weightDrop", rate);
  }

  /**
   * {@return this config with every dropout off} A forward pass then gives the same result in
   * training as without.
   */
  public SHARNNConfig withoutDropout() {
    return Records.with(
        this, "inputDropout", 0f, "hiddenDropout", 0f, "outputDropout", 0f, "weightDrop", 0f);
  }

  /**
   * {@return a new builder with these options, except for {@code collapsed}} Layers with dropped
   * attention stay so, unless you call {@link Builder#attentionLayers}, which replaces both lists.
   */
  public Builder toBuilder() {
    Builder builder = SHARNN.builder();
    builder.options.putAll(Records.values(this));
    return builder.set("collapsed", false);
  }

  /** {@return this config as one JSON object, with one field per option} */
  public String toJson() {
    return JsonUtils.GSON.toJson(this);
  }

  /**
   * {@return the checked config that {@link #toJson()} wrote}
   *
   * @param json the JSON text
   * @throws IllegalArgumentException if the text is no such JSON or an option breaks its rule
   */
  public static SHARNNConfig fromJson(String json) {
    return Records.fromJson(SHARNNConfig.class, "the model's config", json);
  }

  private static void checkPositive(String option, int value) {
    checkArgument(value >= 1, "%s must be at least 1, but is %s", option, value);
  }

  /** Checks and sorts the layers of an option. */
  private static List<Integer> sorted(String option, List<Integer> named, int layers) {
    for (Integer layer : named) {
      checkArgument(layer != null, "%s must not hold null", option);
      checkArgument(
          layer >= 0 && layer < layers,
          "%s (%s) must lie between 0 and layers - 1 (%s), but has %s: layers are counted from 0",
          option,
          named,
          layers - 1,
          layer);
    }
    return named.stream().sorted().distinct().toList();
  }

  private static void checkRate(String option, float value) {
    checkArgument(
        value >= 0 && value < 1,
        "%s must be at least 0 and below 1 (a dropout rate), but is %s",
        option,
        value);
  }

  /** Lists each option that differs from the paper's model, by the name of its setter. */
  @Override
  public String toString() {
    Map<String, Object> paper = Records.values(new Builder().config());
    String changes =
        Records.values(this).entrySet().stream()
            .filter(option -> !option.getValue().equals(paper.get(option.getKey())))
            .map(Object::toString)
            .collect(Collectors.joining(", "));
    return "SHA-RNN" + (changes.isEmpty() ? " of the paper" : " with " + changes);
  }

  /** Options of a {@link SHARNN}, by default the paper's model with one attention layer. */
  public static final class Builder {

    private final Map<String, Object> options =
        new HashMap<>(
            Map.of(
                "vocabularySize", 256,
                "embeddingSize", 1024,
                "boomSize", 4096,
                "layers", 4,
                "memoryLength", 5000,
                "boomShortcut", true,
                "tiedOutput", true));
    private TextVocabulary vocabulary = TextVocabulary.bytes();
    private boolean defaultSplits;

    Builder() {
      dropouts(0.1f);
    }

    private Builder set(String option, Object value) {
      options.put(option, value);
      return this;
    }

    /**
     * Sets the number of tokens V. Default 256, every byte.
     *
     * @param size at least 1
     * @return this builder
     */
    public Builder vocabularySize(int size) {
      return set("vocabularySize", size);
    }

    /**
     * Sets the vocabulary and with it the number of tokens. Default bytes.
     *
     * @param tokens the vocabulary
     * @return this builder
     */
    public Builder vocabulary(TextVocabulary tokens) {
      vocabulary = tokens;
      return vocabularySize(Math.toIntExact(tokens.size()));
    }

    /**
     * Sets the size C of embeddings, LSTM states and attention. Default 1024. For FLOAT16 on a GPU
     * take a multiple of 128 up to 1024: for others cuDNN has slower LSTMs.
     *
     * @param size at least 1
     * @return this builder
     */
    public Builder embeddingSize(int size) {
      return set("embeddingSize", size);
    }

    /**
     * Sets the inner size H of the Boom. Default 4096.
     *
     * @param size at least 1; a multiple of {@code embeddingSize} with the Boom's shortcut
     * @return this builder
     */
    public Builder boomSize(int size) {
      return set("boomSize", size);
    }

    /**
     * Sets the number of blocks L. Default 4.
     *
     * @param count from 1 to 1000
     * @return this builder
     */
    public Builder layers(int count) {
      return set("layers", count);
    }

    /**
     * Sets the layers that have attention. Default the second-to-last, {@code layers - 2}, or the
     * only one of a single layer.
     *
     * @param indices 0-based layers, in any order; none for a model without attention
     * @return this builder
     */
    public Builder attentionLayers(int... indices) {
      return set("attentionLayers", Ints.asList(indices.clone()))
          .set("droppedAttention", List.of());
    }

    /**
     * Sets the largest number of positions that attention sees. Default 5000.
     *
     * @param positions at least 0
     * @return this builder
     */
    public Builder memoryLength(int positions) {
      return set("memoryLength", positions);
    }

    /**
     * Sets the dropout rate on the embeddings. Default 0.1.
     *
     * @param rate in [0, 1)
     * @return this builder
     */
    public Builder inputDropout(float rate) {
      return set("inputDropout", rate);
    }

    /**
     * Sets the dropout rate inside the blocks. Default 0.1.
     *
     * @param rate in [0, 1)
     * @return this builder
     */
    public Builder hiddenDropout(float rate) {
      return set("hiddenDropout", rate);
    }

    /**
     * Sets the dropout rate before the logits. Default 0.1.
     *
     * @param rate in [0, 1)
     * @return this builder
     */
    public Builder outputDropout(float rate) {
      return set("outputDropout", rate);
    }

    /**
     * Sets input, hidden and output dropout at once.
     *
     * @param rate in [0, 1)
     * @return this builder
     */
    public Builder dropouts(float rate) {
      return inputDropout(rate).hiddenDropout(rate).outputDropout(rate);
    }

    /**
     * Sets the dropout rate on the LSTMs' hidden-to-hidden matrices, drawn once per segment.
     * Default 0.
     *
     * @param rate in [0, 1)
     * @return this builder
     */
    public Builder weightDrop(float rate) {
      return set("weightDrop", rate);
    }

    /**
     * Chooses between the Boom's shortcut (chunks summed) and a second linear layer. Default true,
     * the shortcut.
     *
     * @param shortcut false for the second linear layer
     * @return this builder
     */
    public Builder boomShortcut(boolean shortcut) {
      return set("boomShortcut", shortcut);
    }

    /**
     * Sends attention keys through a linear layer. Default false.
     *
     * @param project true to project
     * @return this builder
     */
    public Builder keyProjection(boolean project) {
      return set("keyProjection", project);
    }

    /**
     * Sends attention values through a linear layer. Default false.
     *
     * @param project true to project
     * @return this builder
     */
    public Builder valueProjection(boolean project) {
      return set("valueProjection", project);
    }

    /**
     * Uses the embedding matrix for the logits too. Default true.
     *
     * @param tied false for an output matrix of its own
     * @return this builder
     */
    public Builder tiedOutput(boolean tied) {
      return set("tiedOutput", tied);
    }

    /**
     * Splits the softmax of a large vocabulary, whose tokens are sorted by frequency: [0,
     * splits[0]) is the head, and each split begins a tail. Training computes a tail only for the
     * labels in it. Default none: one softmax over all tokens.
     *
     * @param firstTokens ascending, each above 0 and below {@code vocabularySize}
     * @return this builder
     */
    public Builder splits(int... firstTokens) {
      defaultSplits = false;
      return set("splits", Ints.asList(firstTokens.clone()));
    }

    /**
     * Splits the softmax as the reference does, by {@code vocabularySize}: see {@link Splits#of}.
     *
     * @return this builder
     */
    public Builder defaultSplits() {
      defaultSplits = true;
      return this;
    }

    /**
     * {@return the config of these options, which it checks, without a model}
     *
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public SHARNNConfig config() {
      Map<String, Object> all = new HashMap<>(options);
      all.putIfAbsent("attentionLayers", List.of(Math.max((int) all.get("layers") - 2, 0)));
      if (defaultSplits) {
        all.put("splits", Splits.of((int) all.get("vocabularySize")));
      }
      return Records.of(SHARNNConfig.class, all);
    }

    /**
     * {@return the model, uninitialized}
     *
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public SHARNN build() {
      return SHARNN.of(config(), vocabulary);
    }
  }
}
