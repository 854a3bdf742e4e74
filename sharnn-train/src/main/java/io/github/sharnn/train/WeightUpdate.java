package io.github.sharnn.train;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.torchscript.Operators;
import java.util.ArrayList;
import java.util.List;

/**
 * From gradients to new weights: norm, clipping, optimizer; in a few launches with {@link Lamb}.
 * While this runs the device waits, so that the lists of arrays are made once: weights and
 * gradients stay where they are in memory.
 */
final class WeightUpdate {

  private final Trainer trainer;
  private final WorkingWeights weights;
  private final Optimizer optimizer;
  private final double clipNorm;
  private final List<String> ids = new ArrayList<>();
  private final NDList masters = new NDList();
  private NDList gradients; // null before the first backward, which makes them

  WeightUpdate(
      Model model, WorkingWeights weights, Trainer trainer, Optimizer optimizer, double clipNorm) {
    this.trainer = trainer;
    this.weights = weights;
    this.optimizer = optimizer;
    this.clipNorm = clipNorm;
    for (var pair : model.getBlock().getParameters()) {
      Parameter parameter = pair.getValue();
      if (parameter.requiresGradient()) {
        ids.add(pair.getKey());
        NDArray alias = parameter.getArray().stopGradient(); // may change in place on any thread
        masters.add(alias);
      }
    }
    masters.attach(trainer.getManager()); // closed with the trainer
    // a run that ended in an exception may have left gradients, to which these would add
    try (NDList left = GlobalNorm.gradients(weights.model().getBlock())) {
      Operators.get().call("zero", left).close();
    }
  }

  /** The global L2 norm of the gradients, not yet read back: one FLOAT32. */
  NDArray norm() {
    if (gradients == null) {
      gradients = GlobalNorm.gradients(weights.model().getBlock());
      gradients.attach(trainer.getManager());
    }
    return Operators.get().call("norm", gradients);
  }

  /** Clips the gradients, steps and zeroes them. */
  void step(double norm, double lossScale) {
    if (optimizer instanceof Lamb lamb) {
      lamb.updateAll(ids, masters, gradients, GlobalNorm.scale(norm, clipNorm) / lossScale);
      weights.follow();
    } else {
      GlobalNorm.clip(weights.model().getBlock(), clipNorm); // FLOAT32, so no loss scale
      trainer.step();
    }
  }

  /** Zeroes the gradients. */
  void skip() {
    Operators.get().call("zero", gradients).close();
  }
}
