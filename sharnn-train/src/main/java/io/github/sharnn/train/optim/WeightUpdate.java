package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.engine.Operators;
import io.github.sharnn.train.SHARNNTrainer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * From gradients to new weights: norm, clipping, optimizer, Lookahead, the moving average of the
 * weights; in a few launches with {@link Lamb}. While this runs the device waits, so that the lists
 * of arrays are made once: weights and gradients stay where they are in memory.
 */
public final class WeightUpdate implements AutoCloseable {

  private final Trainer trainer;
  private final MixedPrecisionWeights weights;
  private final boolean ownsLamb;
  private final Lamb lamb; // null: another optimizer, which the trainer drives
  private final Lookahead lookahead; // null: none
  private final WeightAverage average; // null: none
  private final double clipNorm;
  private final List<String> ids = new ArrayList<>();
  private final NDList masters = new NDList();
  private NDList gradients; // null before the first backward, which makes them

  /**
   * Takes the trainer's options; the optimizer may be {@link Lookahead} around one.
   *
   * @param options with the model, whose weights are FLOAT32
   * @param optimizer the trainer's
   */
  public WeightUpdate(
      SHARNNTrainer.Builder options,
      MixedPrecisionWeights weights,
      Trainer trainer,
      Optimizer optimizer) {
    this.trainer = trainer;
    this.weights = weights;
    this.clipNorm = options.clipNorm;
    lookahead = options.lookaheadSteps > 0 ? (Lookahead) optimizer : null;
    Optimizer inner = lookahead == null ? optimizer : lookahead.optimizer();
    lamb = inner instanceof Lamb one ? one : null;
    ownsLamb = options.optimizer == null;
    for (var pair : options.model.getBlock().getParameters()) {
      Parameter parameter = pair.getValue();
      if (parameter.requiresGradient()) {
        ids.add(pair.getKey());
        NDArray alias = parameter.getArray().stopGradient(); // may change in place on any thread
        masters.add(alias);
      }
    }
    masters.attach(trainer.getManager()); // closed with the trainer
    average =
        options.averageDecay > 0 ? new WeightAverage(options.averageDecay, ids, masters) : null;
    checkArgument(
        !ids.isEmpty(), "a model to train must have a parameter that is not frozen, but has none");
    zeroGradients();
  }

  /** What ended in an exception, a run or a step, may have left gradients: others would add up. */
  private void zeroGradients() {
    try (NDList left = GradientClipping.gradients(weights.model().getBlock())) {
      Operators.get().call("zero", left).close();
    }
  }

  /** Until it is closed, whatever becomes of the manager and scope that it was made in. */
  static NDArray kept(NDArray array) {
    array.detach();
    NDScope.unregister(array);
    return array;
  }

  /**
   * Measures the gradients. {@link Lamb} clips and steps at once, so that the device need not wait
   * until the host has seen what they are; where the norm or a loss is not finite, it leaves the
   * weights as they are. Then {@link #finish} or {@link #skip}, by the same condition.
   *
   * @param losses of the batch's slices, on the device
   * @param lossScale what they were multiplied by before backward
   * @return the global L2 norm of the gradients, with that scale, not yet read back: one FLOAT32
   */
  public NDArray begin(NDList losses, double lossScale) {
    if (gradients == null) {
      gradients = GradientClipping.gradients(weights.model().getBlock());
      gradients.attach(trainer.getManager());
    }
    NDArray norm = Operators.get().call("norm", gradients);
    if (lamb != null) {
      if (lookahead != null) {
        lookahead.begin(ids, masters);
      }
      NDList measured = new NDList(norm).addAll(losses);
      lamb.updateAll(ids, masters, gradients, 1 / lossScale, measured, clipNorm);
      weights.follow();
    }
    return norm;
  }

  /** What is left to do where norm and losses are finite. */
  public void finish() {
    if (lamb == null) {
      GradientClipping.clip(weights.model().getBlock(), clipNorm); // FLOAT32, so no loss scale
      trainer.step();
    } else if (lookahead != null) {
      lookahead.updated(ids, masters, lamb.updates());
      weights.follow();
    }
    if (average != null) {
      average.updated();
    }
  }

  /** Leaves the weights as they are, and the gradients 0. */
  public void skip() {
    if (lamb == null) {
      Operators.get().call("zero", gradients).close();
    } else {
      lamb.skipped();
    }
  }

  /** Whether evaluation is of averages. */
  public boolean averages() {
    return average != null;
  }

  /** Lets the weights and their averages change places, if there are any: before and after. */
  public void exchange() {
    if (average != null) {
      average.exchange();
      weights.follow();
    }
  }

  /** Halves the rate so often, of a {@link Lamb} given; else {@link CurrentLearningRate} does. */
  public void rollbacks(int count) {
    if (!ownsLamb) {
      lamb.rateFactor((float) Math.pow(0.5, count));
    }
  }

  /** How often {@link Lamb} updated the weights. */
  public int updates() {
    return lamb.updates();
  }

  /** What a checkpoint saves beside the weights, of {@link Lamb} and what is around it. */
  public Map<String, NDArray> tensors() {
    if (updates() == 0) {
      return Map.of(); // what is there already was made for steps that were skipped
    }
    Map<String, NDArray> tensors = new TreeMap<>(lamb.moments());
    if (lookahead != null) {
      tensors.putAll(lookahead.slowWeights());
    }
    if (average != null) {
      tensors.putAll(average.averages());
    }
    return tensors;
  }

  /** The names of {@link #tensors} once there was an update, and their shapes. */
  public Map<String, Shape> shapes() {
    List<String> kinds = new ArrayList<>(List.of(Lamb.MEAN, Lamb.VARIANCE));
    if (lookahead != null) {
      kinds.add(Lookahead.SLOW);
    }
    if (average != null) {
      kinds.add(WeightAverage.AVERAGE);
    }
    Map<String, Shape> shapes = new HashMap<>();
    for (String kind : kinds) {
      for (int i = 0; i < ids.size(); i++) {
        shapes.put(kind + ids.get(i), masters.get(i).getShape());
      }
    }
    return shapes;
  }

  /** Goes back to what {@link #tensors} and {@link #updates} were; the tensors are copied. */
  public void restore(Map<String, NDArray> tensors, int updates) {
    zeroGradients();
    lamb.restore(tensors, updates);
    if (lookahead != null) {
      lookahead.restore(tensors);
    }
    if (average != null) {
      average.restore(tensors, updates);
    }
  }

  /** Frees all that it keeps beside the weights, but for what an optimizer given keeps. */
  @Override
  public void close() {
    if (ownsLamb) {
      lamb.close();
    }
    if (lookahead != null) {
      lookahead.close();
    }
    if (average != null) {
      average.close();
    }
  }
}
