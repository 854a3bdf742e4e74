package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNullElse;
import static java.util.Objects.requireNonNullElseGet;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import com.google.common.base.CaseFormat;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.io.Records;
import io.github.sharnn.train.optim.Lookahead;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The options of a {@link SHARNNTrainer}: a checkpoint stores them, the command line fills them, a
 * run prints them. Checks, JSON, the comparison with a checkpoint and the printed text all derive
 * from the components of this record.
 *
 * @param batchSize streams trained on side by side
 * @param sequenceLength longest segment that gradients flow through
 * @param accumulation number of slices that a batch is divided into
 * @param clipNorm largest global norm of the gradients
 * @param seed seed of initial weights, segment lengths and dropout
 * @param evaluationInterval steps between evaluations, or 0 to evaluate only after each pass
 * @param evaluationStreams streams of the validation part
 * @param labelSmoothing share of the training target that is spread over all tokens
 * @param lookaheadSteps updates between two moves of Lookahead's slow weights, or 0 for none
 * @param lookaheadAlpha fraction of the distance by which the slow weights move, or 0 without
 *     Lookahead
 * @param averageDecay decay of the moving average of the weights, or 0 for none
 * @param zeroStateProbability probability of a step that begins from the zero state
 * @param optimizer the optimizer; null for LAMB
 * @param kernels if CUDA kernels of this library's own run on a GPU; null for AUTO
 * @param precision type that forward and backward compute in
 * @serial exclude
 */
public record TrainingOptions(
    int batchSize,
    int sequenceLength,
    int accumulation,
    double clipNorm,
    int seed,
    int evaluationInterval,
    int evaluationStreams,
    float labelSmoothing,
    int lookaheadSteps,
    float lookaheadAlpha,
    double averageDecay,
    double zeroStateProbability,
    OptimizerSettings optimizer,
    Kernels.Use kernels,
    DataType precision)
    implements Serializable {

  /** The options that a resumed run may change. */
  static final Set<String> MAY_CHANGE =
      Set.of(
          "evaluationInterval", "precision", "labelSmoothing", "zeroStateProbability", "kernels");

  /**
   * Checks every option.
   *
   * @param batchSize at least 1
   * @param sequenceLength at least 1
   * @param accumulation a divisor of {@code batchSize}
   * @param clipNorm above 0
   * @param seed any number
   * @param evaluationInterval at least 0
   * @param evaluationStreams at least 1
   * @param labelSmoothing at least 0 and below 1
   * @param lookaheadSteps at least 1, or 0 together with {@code lookaheadAlpha}
   * @param lookaheadAlpha above 0 and at most 1, or 0 together with {@code lookaheadSteps}
   * @param averageDecay at least 0 and below 1
   * @param zeroStateProbability at least 0 and below 1
   * @param optimizer null for LAMB, as in old checkpoints
   * @param kernels null for AUTO, as in old checkpoints
   * @param precision FLOAT32 or FLOAT16
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public TrainingOptions {
    checkAtLeast(1, "batchSize", batchSize);
    checkAtLeast(1, "sequenceLength", sequenceLength);
    checkArgument(
        accumulation >= 1 && batchSize % accumulation == 0,
        "accumulation must be at least 1 and divide batchSize (%s), but is %s",
        batchSize,
        accumulation);
    checkArgument(clipNorm > 0, "clipNorm must be above 0, but is %s", clipNorm);
    checkAtLeast(0, "evaluationInterval", evaluationInterval);
    checkAtLeast(1, "evaluationStreams", evaluationStreams);
    SequenceCrossEntropy.check(labelSmoothing, false);
    if (lookaheadSteps != 0 || lookaheadAlpha != 0) {
      Lookahead.check(lookaheadSteps, lookaheadAlpha);
    }
    checkBelowOne("averageDecay", averageDecay);
    checkBelowOne("zeroStateProbability", zeroStateProbability);
    optimizer = // null in old checkpoints
        requireNonNullElseGet(optimizer, () -> OptimizerSettings.of(OptimizerSettings.Type.LAMB));
    kernels = requireNonNullElse(kernels, Kernels.Use.AUTO); // null in old checkpoints
    checkArgument(precision != null, "precision must be FLOAT32 or FLOAT16, but is null");
    MixedPrecisionWeights.check(precision);
  }

  private static void checkAtLeast(int minimum, String option, int value) {
    checkArgument(value >= minimum, "%s must be at least %s, but is %s", option, minimum, value);
  }

  private static void checkBelowOne(String option, double value) {
    checkArgument(
        value >= 0 && value < 1, "%s must be at least 0 and below 1, but is %s", option, value);
  }

  /**
   * Starts a trainer with these options and the default precision of the model's device.
   *
   * @param model a DJL model with a {@link io.github.sharnn.SHARNN}
   * @return a new builder
   * @throws IllegalArgumentException if the model holds another block
   */
  public SHARNNTrainer.Builder trainer(Model model) {
    TrainingOptions.Builder<SHARNNTrainer.Builder> builder = SHARNNTrainer.builder(model);
    builder.options.putAll(values());
    return builder.set("precision", null); // by device
  }

  /** {@return the options by name, in order, as a new map} */
  public Map<String, Object> values() {
    return Records.values(this);
  }

  /** Lists the precision, and each option that differs from its default. */
  @Override
  public String toString() {
    Map<String, Object> defaults = new Builder<SHARNNTrainer.Builder>().options(precision).values();
    defaults.put("evaluationStreams", batchSize);
    defaults.remove("precision");
    return values().entrySet().stream()
        .filter(option -> !option.getValue().equals(defaults.get(option.getKey())))
        .map(
            option ->
                CaseFormat.LOWER_CAMEL
                        .to(CaseFormat.LOWER_UNDERSCORE, option.getKey())
                        .replace('_', ' ')
                    + " "
                    + option.getValue())
        .collect(Collectors.joining(", "));
  }

  /**
   * The setters of the options, which {@link SHARNNTrainer.Builder} inherits. Every default but
   * {@link #zeroStateProbability} is the paper's.
   *
   * @param <T> the builder itself
   */
  public static class Builder<T extends Builder<T>> {

    private final Map<String, @Nullable Object> options =
        new HashMap<>(
            Map.of(
                "batchSize", 16,
                "sequenceLength", 1024,
                "accumulation", 1,
                "clipNorm", 0.25,
                "seed", 42,
                "zeroStateProbability", 0.01));

    Builder() {}

    @SuppressWarnings("unchecked") // T is the type of this builder
    private T set(String option, @Nullable Object value) {
      options.put(option, value);
      return (T) this;
    }

    /**
     * Sets the number of streams B that are trained on side by side. Default 16. For FLOAT16 on a
     * GPU take a multiple of 8 up to 128: cuDNN runs the LSTMs of other sizes more slowly.
     *
     * @param streams at least 1
     * @return this builder
     */
    public T batchSize(int streams) {
      return set("batchSize", streams);
    }

    /**
     * Sets the longest segment T that gradients flow through (bptt). Default 1024.
     *
     * @param steps at least 1
     * @return this builder
     */
    public T sequenceLength(int steps) {
      return set("sequenceLength", steps);
    }

    /**
     * Turns on gradient accumulation: each batch runs in slices of streams whose gradients add up
     * before the step. The step is the same as that of the whole batch, up to rounding and dropout,
     * and takes less memory. Default 1, the whole batch at once.
     *
     * @param slices a divisor of {@code batchSize}
     * @return this builder
     */
    public T accumulation(int slices) {
      return set("accumulation", slices);
    }

    /**
     * Sets the largest global L2 norm of the gradients. Default 0.25.
     *
     * @param norm above 0; {@code Double.POSITIVE_INFINITY} for no clipping
     * @return this builder
     */
    public T clipNorm(double norm) {
      return set("clipNorm", norm);
    }

    /**
     * Sets the seed of initial weights, segment lengths and dropout. Default 42.
     *
     * @param value any number
     * @return this builder
     */
    public T seed(int value) {
      return set("seed", value);
    }

    /**
     * Sets the number of steps between evaluations of the validation part. Default 0: evaluates
     * only after each pass over the data and at the end.
     *
     * @param steps at least 0
     * @return this builder
     */
    public T evaluationInterval(int steps) {
      return set("evaluationInterval", steps);
    }

    /**
     * Sets the number of streams of the validation part. Default {@code batchSize}.
     *
     * @param streams at least 1
     * @return this builder
     */
    public T evaluationStreams(int streams) {
      return set("evaluationStreams", streams);
    }

    /**
     * Puts {@link Lookahead} around the optimizer. Default none.
     *
     * @param steps updates between two moves of the slow weights, at least 1; 5 to 6 are usual
     * @param alpha part of the way that the slow weights move, above 0 and at most 1; 0.5 to 0.8
     *     are usual
     * @return this builder
     */
    public T lookahead(int steps, float alpha) {
      set("lookaheadSteps", steps);
      return set("lookaheadAlpha", alpha);
    }

    /**
     * Evaluates an exponential moving average of the weights instead of the weights, and ends with
     * the best average. Training itself continues with the weights. After t updates, the weights of
     * update s have the share {@code decay^(t - s)} divided by the sum of these powers for s from 1
     * to t. The average takes as much memory as the FLOAT32 weights, and twice that during an
     * evaluation. Default 0, no average.
     *
     * @param decay above 0 and below 1: 0.999 averages over about the last 1000 updates; 0 for none
     * @return this builder
     */
    public T averageDecay(double decay) {
      return set("averageDecay", decay);
    }

    /**
     * Spreads a share of each training target evenly over the vocabulary (Szegedy et al.,
     * arXiv:1512.00567, section 7). Reported figures are never smoothed. Default 0.
     *
     * @param share at least 0 and below 1; 0 for a model with splits
     * @return this builder
     */
    public T labelSmoothing(float share) {
      return set("labelSmoothing", share);
    }

    /**
     * Sets how often a step of all streams begins from the zero state, with nothing remembered
     * (Melis et al., arXiv:1707.05589, section 4). A model that always trains with a full memory
     * does badly on short texts and at the beginning of long ones. Default 0.01.
     *
     * @param probability at least 0 and below 1; 0 for the paper's training
     * @return this builder
     */
    public T zeroStateProbability(double probability) {
      return set("zeroStateProbability", probability);
    }

    /**
     * Sets the optimizer. Default LAMB.
     *
     * @param settings the optimizer and its options
     * @return this builder
     */
    public T optimizer(OptimizerSettings settings) {
      return set("optimizer", settings);
    }

    /**
     * Sets if CUDA kernels of this library's own run on a GPU, see {@link
     * io.github.sharnn.SHARNN#kernels}. Default AUTO.
     *
     * @param use AUTO, OFF or REQUIRED
     * @return this builder
     */
    public T kernels(Kernels.Use use) {
      return set("kernels", use);
    }

    /**
     * Sets the type that forward and backward compute in: FLOAT32, or FLOAT16 with weights and
     * optimizer in FLOAT32 and a dynamic loss scale. Default FLOAT16 on a GPU, and FLOAT32 on a CPU
     * or with DJL's optimizers.
     *
     * @param type FLOAT32 or FLOAT16
     * @return this builder
     */
    public T precision(DataType type) {
      return set("precision", type);
    }

    /** Returns the options set so far. If no precision is set, uses {@code byDevice}. */
    TrainingOptions options(DataType byDevice) {
      Map<String, @Nullable Object> all = new HashMap<>(options);
      all.putIfAbsent("evaluationStreams", all.get("batchSize"));
      all.putIfAbsent("precision", byDevice);
      return Records.of(TrainingOptions.class, all);
    }
  }
}
