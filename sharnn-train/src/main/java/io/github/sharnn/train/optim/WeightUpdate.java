package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.engine.Operators;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The computation of new weights from gradients: norm, clipping, optimizer, {@link Lookahead},
 * {@link WeightAverage}. With a {@link FusedOptimizer} it takes a few launches. The device is idle
 * while the host prepares a call, so the lists of arrays are made only once: weights and gradients
 * do not move in memory.
 */
public final class WeightUpdate implements AutoCloseable {

  private final Trainer trainer;
  private final MixedPrecisionWeights weights;
  private final @Nullable FusedOptimizer fused; // null: the trainer drives the optimizer
  private final @Nullable Lookahead lookahead;
  private final @Nullable WeightAverage average;
  private final double clipNorm;
  private final List<String> ids = new ArrayList<>();
  private final NDList masters = new NDList();
  private @Nullable NDList gradients; // null before the first backward, which makes them

  /**
   * Lists the parameters that are not frozen.
   *
   * @param weights the weights to train; the caller closes them
   * @param trainer DJL's trainer, which owns the arrays and drives an optimizer that is no {@link
   *     FusedOptimizer}
   * @param optimizer the trainer's optimizer, or the one wrapped by {@code lookahead}
   * @param lookahead the trainer's, or null for none
   * @param clipNorm largest global norm of the gradients
   * @param averageDecay decay of the weights' moving average, or 0 for none
   * @throws IllegalArgumentException if all parameters are frozen
   */
  public WeightUpdate(
      MixedPrecisionWeights weights,
      Trainer trainer,
      Optimizer optimizer,
      @Nullable Lookahead lookahead,
      double clipNorm,
      double averageDecay) {
    this.trainer = trainer;
    this.weights = weights;
    this.clipNorm = clipNorm;
    this.lookahead = lookahead;
    fused = optimizer instanceof FusedOptimizer one ? one : null;
    if (fused != null) {
      fused.parametersOf(weights.trained().getBlock());
    }
    for (var pair : weights.trained().getBlock().getParameters()) {
      Parameter parameter = pair.getValue();
      if (parameter.requiresGradient()) {
        ids.add(pair.getKey());
        NDArray alias = parameter.getArray().stopGradient(); // can change in place on any thread
        masters.add(alias);
      }
    }
    masters.attach(trainer.getManager()); // closed with the trainer
    average = averageDecay > 0 ? new WeightAverage(averageDecay, ids, masters) : null;
    checkArgument(
        !ids.isEmpty(), "a model to train must have a parameter that is not frozen, but has none");
    zeroGradients();
  }

  /** Clears gradients left behind by a failed step; the next step would add to them. */
  private void zeroGradients() {
    try (NDList left = GradientClipping.gradients(weights.model().getBlock())) {
      Operators.get().call("zero", left).close();
    }
  }

  /**
   * Launches the update: measures the gradients, and with a {@link FusedOptimizer} also clips them
   * and updates the weights, without waiting for the device. If the norm or a loss is not finite,
   * the optimizer leaves the weights unchanged. Call {@link #skip} in that case, else {@link
   * #complete}.
   *
   * @param losses losses of the batch's slices, on the device
   * @param lossScale factor of the losses before backward
   * @return the global L2 norm of the scaled gradients, then the losses
   */
  public Readback launch(NDList losses, double lossScale) {
    if (gradients == null) {
      gradients = GradientClipping.gradients(weights.model().getBlock());
      gradients.attach(trainer.getManager());
    }
    NDList measured = new NDList(Operators.get().call("norm", gradients)).addAll(losses);
    Readback readback = new Readback(measured);
    if (fused != null) {
      if (lookahead != null) {
        lookahead.begin(ids, masters);
      }
      fused.updateAll(ids, masters, gradients, 1 / lossScale, measured, clipNorm);
      weights.sync();
    }
    measured.head().close();
    return readback;
  }

  /** Completes the update after {@link #launch}. */
  public void complete() {
    if (fused == null) {
      GradientClipping.clip(
          weights.model().getBlock(), clipNorm); // measures again; FLOAT32 has no loss scale
      trainer.step();
    } else if (lookahead != null) {
      lookahead.updated(ids, masters, fused.updates());
      weights.sync();
    }
    if (average != null) {
      average.updated();
    }
  }

  /** Clears the gradients and leaves the weights as they are. */
  public void skip() {
    if (fused == null) {
      Operators.get().call("zero", gradients).close();
    } else {
      fused.skipped();
    }
  }

  /** {@return true if evaluation uses averages of the weights} */
  public boolean averages() {
    return average != null;
  }

  /** Swaps weights and averages before and after an evaluation. Does nothing without averages. */
  public void swap() {
    if (average != null) {
      average.swap();
      weights.sync();
    }
  }

  /** {@return the number of updates by a {@link FusedOptimizer}; no other optimizer counts them} */
  public int updates() {
    return fused.updates();
  }

  /**
   * Arrays that a part of the update keeps between steps.
   *
   * @param shapes their names and shapes after the first update
   * @param named returns the arrays by name
   * @param restore copies arrays of these shapes, or takes none before the first update
   */
  public record Arrays(
      Map<String, Shape> shapes,
      Supplier<Map<String, NDArray>> named,
      Consumer<Map<String, NDArray>> restore) {}

  /** {@return the arrays of the optimizer, {@link Lookahead} and the averages, for a checkpoint} */
  public Map<String, Arrays> arrays() {
    Map<String, Arrays> arrays = new LinkedHashMap<>();
    arrays.put(
        "moments",
        new Arrays(
            fused.momentShapes(ids, masters),
            fused::moments,
            saved -> fused.restore(saved, fused.updates())));
    if (lookahead != null) {
      arrays.put(
          "lookahead",
          new Arrays(shapes(Lookahead.SLOW), lookahead.slow::named, lookahead.slow::restore));
    }
    if (average != null) {
      arrays.put(
          "average",
          new Arrays(
              shapes(WeightAverage.AVERAGE),
              average.averages::named,
              saved -> average.restore(saved, fused.updates())));
    }
    return arrays;
  }

  private Map<String, Shape> shapes(String prefix) {
    Map<String, Shape> shapes = new HashMap<>();
    for (int i = 0; i < ids.size(); i++) {
      shapes.put(prefix + ids.get(i), masters.get(i).getShape());
    }
    return shapes;
  }

  /**
   * Clears the gradients and restores the number of updates. Restore {@link #arrays} afterwards.
   *
   * @param updates number of updates of the optimizer
   */
  public void restore(int updates) {
    zeroGradients();
    fused.restore(Map.of(), updates);
  }

  /** Frees slow weights and averages; the optimizer belongs to the caller. */
  @Override
  public void close() {
    if (lookahead != null) {
      lookahead.close();
    }
    if (average != null) {
      average.close();
    }
  }
}
