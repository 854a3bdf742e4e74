package io.github.sharnn.train;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.optimizer.Optimizer;
import java.util.ArrayList;
import java.util.List;

/**
 * From gradients to new weights: norm, clipping, optimizer; in a few launches with {@link Lamb}.
 */
final class WeightUpdate {

  private final Trainer trainer;
  private final WorkingWeights weights;
  private final Optimizer optimizer;
  private final double clipNorm;
  private final List<String> ids = new ArrayList<>();
  private final NDList masters = new NDList();

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
        masters.add(parameter.getArray());
      }
    }
    skip(); // a run that ended in an exception may have left gradients, to which the first would
    // add
  }

  /** The global L2 norm of the gradients of the loss, whose scale they still have. */
  double norm(double lossScale) {
    try (NDList gradients = GlobalNorm.gradients(weights.model().getBlock())) {
      return GlobalNorm.norm(gradients) / lossScale;
    }
  }

  /** Clips the gradients, steps and zeroes them. */
  void step(double norm, double lossScale) {
    if (optimizer instanceof Lamb lamb) {
      try (NDList gradients = GlobalNorm.gradients(weights.model().getBlock())) {
        lamb.updateAll(ids, masters, gradients, GlobalNorm.scale(norm, clipNorm) / lossScale);
      }
      weights.follow();
    } else {
      GlobalNorm.clip(weights.model().getBlock(), clipNorm); // FLOAT32, so no loss scale
      trainer.step();
    }
  }

  /** Zeroes the gradients. */
  void skip() {
    try (NDList gradients = GlobalNorm.gradients(weights.model().getBlock())) {
      Kernels.get().call("zero", gradients).close();
    }
  }
}
