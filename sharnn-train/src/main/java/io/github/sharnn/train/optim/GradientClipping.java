package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.github.sharnn.engine.Operators;

/**
 * Gradient clipping by global norm: every gradient is multiplied by {@code min(1, maxNorm / (norm +
 * 1e-6))}, with the L2 norm of all of them (Pascanu et al., <a
 * href="https://arxiv.org/abs/1211.5063">arXiv:1211.5063</a>, section 3.2).
 *
 * <p>Call it between {@code backward} and {@code Trainer.step()}. DJL's {@code optClipGrad} does
 * something different: it clips each entry, and only from above.
 */
public final class GradientClipping {

  private static final double EPSILON = 1e-6;

  private GradientClipping() {}

  /**
   * Clips the gradients of a block's parameters in place.
   *
   * @param block an initialized block, after backward
   * @param maxNorm the largest norm to keep, above 0; {@code Double.POSITIVE_INFINITY} to measure
   *     only
   * @return the norm before clipping; if it is not finite, the gradients are unchanged
   * @throws IllegalArgumentException if {@code maxNorm} is not above 0
   */
  public static double clip(Block block, double maxNorm) {
    checkArgument(maxNorm > 0, "maxNorm must be above 0, but is %s", maxNorm);
    try (NDScope scope = new NDScope()) {
      scope.suppressNotUsedWarning();
      NDList gradients = gradients(block);
      double norm = norm(gradients);
      double scale = scale(norm, maxNorm);
      if (scale < 1 && Double.isFinite(norm)) {
        Operators.get().call("scale", new float[] {(float) scale}, gradients);
      }
      return norm;
    }
  }

  /**
   * {@return the gradients of a block's parameters that are not frozen, in the order of its
   * parameters}
   *
   * @param block an initialized block
   */
  public static NDList gradients(Block block) {
    NDList gradients = new NDList();
    for (Parameter parameter : block.getParameters().values()) {
      if (parameter.requiresGradient()) {
        gradients.add(parameter.getArray().getGradient());
      }
    }
    return gradients;
  }

  /**
   * {@return the global L2 norm, computed in FLOAT32 and read back to the host}
   *
   * @param gradients gradients of any shapes, all FLOAT32 or all FLOAT16
   */
  public static double norm(NDList gradients) {
    try (NDArray norm = Operators.get().call("norm", gradients)) {
      return norm.getFloat();
    }
  }

  static double scale(double norm, double maxNorm) {
    return Math.min(1, maxNorm / (norm + EPSILON));
  }
}
