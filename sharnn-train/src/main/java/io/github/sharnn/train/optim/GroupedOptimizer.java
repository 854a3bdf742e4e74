package io.github.sharnn.train.optim;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import io.github.sharnn.Weight;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An optimizer with a learning rate for each group of parameters: hidden matrices, embeddings, and
 * the rest. {@link ParameterGroups} tells which is which. It knows AdamW's step.
 */
public abstract class GroupedOptimizer extends FusedOptimizer {

  private final boolean cautiousDecay;
  private final float embeddingRate;
  private final float restRate;
  private @Nullable ParameterGroups groups;

  GroupedOptimizer(Builder<?> builder) {
    super(builder);
    cautiousDecay = builder.cautiousDecay;
    embeddingRate = builder.embeddingRate;
    restRate = builder.restRate;
    groups = builder.groups;
    OptimizerSettings.checkFactor("embeddingRate", embeddingRate);
    OptimizerSettings.checkFactor("restRate", restRate);
  }

  final OptimizerSettings settings(OptimizerSettings.Type type) {
    return OptimizerSettings.of(type)
        .weightDecay(getWeightDecay())
        .cautiousDecay(cautiousDecay)
        .embeddingRate(embeddingRate)
        .restRate(restRate);
  }

  @Override
  final void parametersOf(Block block) {
    if (groups == null) {
      groups = ParameterGroups.of(block);
    }
  }

  final Weight.Group group(String id, Shape shape) {
    return groups == null ? ParameterGroups.byShape(shape) : groups.group(id, shape);
  }

  /** Launches the update of one group of parameters at its own rate. */
  abstract void launch(Weight.Group group, Step step);

  @Override
  final void launch(Step step) {
    for (Weight.Group group : Weight.Group.values()) {
      List<Integer> places = new ArrayList<>();
      for (int i = 0; i < step.ids().size(); i++) {
        if (group(step.ids().get(i), step.weights().get(i).getShape()) == group) {
          places.add(i);
        }
      }
      if (!places.isEmpty()) {
        launch(group, step.of(places));
      }
    }
  }

  /** Returns the rate of a group of parameters. */
  final float rate(Weight.Group group, Step step) {
    return switch (group) {
      case MATRIX -> step.rate();
      case EMBEDDING -> step.rate() * embeddingRate;
      case OTHER -> step.rate() * restRate;
    };
  }

  /** Returns 1 for cautious weight decay, else 0. */
  final float cautious() {
    return cautiousDecay ? 1 : 0;
  }

  /** Launches AdamW's update of a group. The decay is that of hidden matrices, and else 0. */
  final void adamW(Weight.Group group, Step step) {
    float[] options = {
      step.scale(),
      step.clipNorm(),
      rate(group, step),
      group == Weight.Group.MATRIX ? getWeightDecay() : 0,
      cautious(),
      beta1,
      beta2,
      epsilon,
      updates()
    };
    callWithMoments("adamw", options, step);
  }

  /**
   * The options of every {@link GroupedOptimizer}.
   *
   * @param <T> the builder itself
   */
  public abstract static class Builder<T extends Builder<T>> extends FusedOptimizer.Builder<T> {

    private boolean cautiousDecay;
    private float embeddingRate = 1;
    private float restRate = 1;
    private @Nullable ParameterGroups groups;

    Builder(float weightDecay) {
      super(0.99f, 1e-8f, weightDecay);
    }

    /**
     * Restricts weight decay to the entries of a matrix that the step moves towards 0 as well.
     * Default false.
     *
     * @param cautious true for cautious weight decay
     * @return this builder
     */
    public T optCautiousDecay(boolean cautious) {
      cautiousDecay = cautious;
      return self();
    }

    /**
     * Sets the learning rate of embeddings and output matrices as a multiple of that of hidden
     * matrices. Default 1.
     *
     * @param factor at least 0
     * @return this builder
     */
    public T optEmbeddingRate(float factor) {
      embeddingRate = factor;
      return self();
    }

    /**
     * Sets the learning rate of all that is no matrix (norms, biases, gates) as a multiple of that
     * of hidden matrices. Default 1.
     *
     * @param factor at least 0
     * @return this builder
     */
    public T optRestRate(float factor) {
      restRate = factor;
      return self();
    }

    /**
     * Names the block in training, so that the optimizer tells embeddings from hidden matrices. A
     * {@link io.github.sharnn.train.SHARNNTrainer} needs no call. Without a block, every parameter
     * with two axes is a hidden matrix.
     *
     * @param block the block, initialized or not
     * @return this builder
     */
    public T optBlock(Block block) {
      groups = ParameterGroups.of(block);
      return self();
    }
  }
}
