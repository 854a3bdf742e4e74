package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNullElse;

import ai.djl.training.tracker.Tracker;
import io.github.sharnn.io.Records;
import java.io.Serializable;
import java.util.Locale;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * The optimizer of a run and its options, which a checkpoint stores.
 *
 * <pre>{@code
 * OptimizerSettings.of(OptimizerSettings.Type.MUON).weightDecay(0.3f).embeddingRate(0.5f)
 * }</pre>
 *
 * @param type the optimizer; null for {@link Type#LAMB}
 * @param weightDecay the weight decay; null for the optimizer's default
 * @param cautiousDecay whether the decay spares entries that the step moves away from 0
 * @param embeddingRate the learning rate of embeddings and output matrices as a multiple of that of
 *     hidden matrices; null for 1
 * @param restRate the same for norms, biases and gates; null for 1
 * @param iterations the iterations of {@link Muon}; null for 5, or 0 for another optimizer
 * @serial exclude
 */
public record OptimizerSettings(
    @Nullable Type type,
    @Nullable Float weightDecay,
    boolean cautiousDecay,
    @Nullable Float embeddingRate,
    @Nullable Float restRate,
    @Nullable Integer iterations)
    implements Serializable {

  /** The optimizers. */
  public enum Type {
    /** {@link Lamb}, with weight decay 1.2e-6. */
    LAMB(1.2e-6f) {
      @Override
      FusedOptimizer create(OptimizerSettings settings, Tracker rate) {
        return Lamb.builder()
            .optLearningRateTracker(rate)
            .optWeightDecays(settings.weightDecay)
            .build();
      }
    },
    /** {@link AdamW}, with weight decay 0.01. */
    ADAMW(0.01f) {
      @Override
      FusedOptimizer create(OptimizerSettings settings, Tracker rate) {
        return settings.onto(AdamW.builder(), rate).build();
      }
    },
    /** {@link Muon}, with weight decay 0.1. */
    MUON(0.1f) {
      @Override
      FusedOptimizer create(OptimizerSettings settings, Tracker rate) {
        Muon.Builder muon = Muon.builder().optIterations(settings.iterations);
        return settings.onto(muon, rate).build();
      }
    };

    private final float weightDecay;

    Type(float weightDecay) {
      this.weightDecay = weightDecay;
    }

    float weightDecay() {
      return weightDecay;
    }

    abstract FusedOptimizer create(OptimizerSettings settings, Tracker rate);

    /** Returns the name on the command line, such as {@code muon}. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Replaces null by the default, and checks every number.
   *
   * @param type null for LAMB
   * @param weightDecay at least 0 and finite, or null for the optimizer's default
   * @param cautiousDecay false for LAMB
   * @param embeddingRate at least 0 and finite, or null for 1; 1 for LAMB
   * @param restRate at least 0 and finite, or null for 1; 1 for LAMB
   * @param iterations from 1 to 100, or null for 5; null or 0 for an optimizer other than Muon
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public OptimizerSettings {
    type = requireNonNullElse(type, Type.LAMB);
    weightDecay = requireNonNullElse(weightDecay, type.weightDecay());
    embeddingRate = requireNonNullElse(embeddingRate, 1f);
    restRate = requireNonNullElse(restRate, 1f);
    checkFactor("weightDecay", weightDecay);
    checkFactor("embeddingRate", embeddingRate);
    checkFactor("restRate", restRate);
    checkArgument(
        type != Type.LAMB || (!cautiousDecay && embeddingRate == 1 && restRate == 1),
        "cautiousDecay, embeddingRate and restRate need the optimizer adamw or muon, but the"
            + " optimizer is %s",
        type);
    boolean muon = type == Type.MUON;
    iterations = requireNonNullElse(iterations, muon ? Muon.ITERATIONS : 0);
    checkArgument(
        muon || iterations == 0,
        "iterations need the optimizer muon, but the optimizer is %s",
        type);
    if (muon) {
      Muon.checkIterations(iterations);
    }
  }

  static void checkFactor(String option, float value) {
    checkArgument(
        value >= 0 && Float.isFinite(value),
        "%s must be at least 0 and finite, but is %s",
        option,
        value);
  }

  /**
   * {@return the default settings of an optimizer}
   *
   * @param type the optimizer
   */
  public static OptimizerSettings of(Type type) {
    return new OptimizerSettings(type, null, false, null, null, null);
  }

  /**
   * {@return these settings with another weight decay}
   *
   * @param decay part of a weight that a step at rate 1 removes, at least 0
   */
  public OptimizerSettings weightDecay(float decay) {
    return Records.with(this, "weightDecay", decay);
  }

  /**
   * {@return these settings with cautious or plain weight decay}
   *
   * @param cautious whether the decay spares entries that the step moves away from 0
   */
  public OptimizerSettings cautiousDecay(boolean cautious) {
    return Records.with(this, "cautiousDecay", cautious);
  }

  /**
   * {@return these settings with another rate of embeddings and output matrices}
   *
   * @param factor multiple of the rate of hidden matrices, at least 0
   */
  public OptimizerSettings embeddingRate(float factor) {
    return Records.with(this, "embeddingRate", factor);
  }

  /**
   * {@return these settings with another rate of norms, biases and gates}
   *
   * @param factor multiple of the rate of hidden matrices, at least 0
   */
  public OptimizerSettings restRate(float factor) {
    return Records.with(this, "restRate", factor);
  }

  /**
   * {@return these settings with another number of iterations of {@link Muon}}
   *
   * @param count from 1 to 100
   */
  public OptimizerSettings iterations(int count) {
    return Records.with(this, "iterations", count);
  }

  private <T extends GroupedOptimizer.Builder<T>> T onto(T builder, Tracker rate) {
    builder.optLearningRateTracker(rate).optWeightDecays(weightDecay);
    return builder
        .optCautiousDecay(cautiousDecay)
        .optEmbeddingRate(embeddingRate)
        .optRestRate(restRate);
  }

  /**
   * {@return a new optimizer with these settings}
   *
   * @param rate the learning rate of hidden matrices in each step, counted from 1
   */
  public FusedOptimizer create(Tracker rate) {
    return type.create(this, rate);
  }

  /** Lists the optimizer, and each option that differs from its default. */
  @Override
  public String toString() {
    StringJoiner options = new StringJoiner(", ", " (", ")").setEmptyValue("");
    if (weightDecay != type.weightDecay()) {
      options.add((cautiousDecay ? "cautious weight decay " : "weight decay ") + weightDecay);
    } else if (cautiousDecay) {
      options.add("cautious weight decay");
    }
    if (embeddingRate != 1) {
      options.add("embedding rate x " + embeddingRate);
    }
    if (restRate != 1) {
      options.add("rest rate x " + restRate);
    }
    if (type == Type.MUON && iterations != Muon.ITERATIONS) {
      options.add("iterations " + iterations);
    }
    return type + options.toString();
  }
}
