package io.github.sharnn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.github.sharnn.engine.Constants;
import io.github.sharnn.engine.DropoutMask;
import io.github.sharnn.engine.Initializers;
import io.github.sharnn.engine.Inputs;
import io.github.sharnn.engine.Operators;
import io.github.sharnn.engine.kernels.BoomKernel;
import io.github.sharnn.engine.kernels.GradientCuts;
import io.github.sharnn.engine.kernels.Kernels;
import java.util.List;
import java.util.Map;

/**
 * The wide feed-forward layer: {@code u = gelu(W1 x + b1)}, then the sum of u's H/C chunks of size
 * C (the shortcut), or {@code W2 u + b2} without it.
 *
 * <p>Paper: arXiv:1911.11423 (the Boom layer). As in the reference, {@code gelu(x) = x *
 * sigmoid(1.702 x)}, which is not DJL's {@link Activation#gelu(NDArray)} (the error function).
 *
 * <ul>
 *   <li>Input: x {@code (B, T, C)}
 *   <li>Output: {@code (B, T, C)}
 *   <li>Parameters: W1 {@code (H, C)}, b1 {@code (H)}; without the shortcut W2 {@code (C, H)}, b2
 *       {@code (C)}; weights from N(0, 0.1 / sqrt(C)), biases from 0
 * </ul>
 */
public final class Boom extends AbstractBlock {

  private static final float SLOPE = (float) Equations.GELU_SLOPE;

  final Linear linear1;
  final Linear linear2; // null with the shortcut
  private final int embeddingSize;
  private final float dropout;
  private Kernels.Use kernels = Kernels.Use.AUTO;

  private Boom(SHARNNConfig config) {
    embeddingSize = config.embeddingSize();
    dropout = config.hiddenDropout();
    linear1 = addChildBlock("linear1", linear(config.boomSize()));
    linear2 = config.boomShortcut() ? null : addChildBlock("linear2", linear(embeddingSize));
  }

  private Linear linear(int units) {
    Linear linear = Linear.builder().setUnits(units).build();
    Initializers.linear(linear, embeddingSize);
    return linear;
  }

  /**
   * {@return the Boom of a model's blocks, uninitialized}
   *
   * @param config gives {@code embeddingSize}, {@code boomSize}, {@code boomShortcut} and {@code
   *     hiddenDropout}
   */
  public static Boom of(SHARNNConfig config) {
    return new Boom(config);
  }

  /** Sets whether this block uses kernels of this library's own. */
  void kernels(Kernels.Use use) {
    kernels = use;
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray x = inputs.singletonOrThrow();
    Inputs.checkActivations("Boom", inputs.getShapes(), embeddingSize);
    Map<String, Parameter> parameters = linear1.getDirectParameters().toMap();
    NDArray weight = parameterStore.getValue(parameters.get("weight"), x.getDevice(), training);
    NDArray bias = parameterStore.getValue(parameters.get("bias"), x.getDevice(), training);
    NDArray output = activated(x, weight, bias, training);
    return linear2 == null
        ? new NDList(output)
        : linear2.forward(parameterStore, new NDList(output), training); // (B, T, H) -> (B, T, C)
  }

  private NDArray activated(NDArray x, NDArray weight, NDArray bias, boolean training) {
    Kernels found = linear2 == null ? Kernels.forBlock(kernels, x, training) : null;
    return found == null
        ? activate(x, weight, bias, training)
        : activate(new BoomKernel(found, embeddingSize, weight.size(0)), x, weight, bias, training);
  }

  /** Computes as the other {@code activate}, with all but the product in one kernel. */
  private NDArray activate(
      BoomKernel kernel, NDArray x, NDArray weight, NDArray bias, boolean training) {
    GradientCuts cuts = training ? GradientCuts.current() : null;
    try (NDArray rows = x.reshape(-1, embeddingSize)) { // (B, T, C) -> (B*T, C)
      NDArray u = Linear.linear(rows, weight, bias).singletonOrThrow(); // (B*T, H)
      BoomKernel.Pass pass = kernel.pass(u, training ? dropout : 0);
      NDArray output = pass.forward(); // (B*T, C)
      if (cuts == null) {
        u.close();
        return output.reshape(x.getShape());
      }
      u.attach(cuts.manager());
      try (output) {
        NDList next =
            cuts.cut(
                List.of(u),
                new NDList(output),
                gradient -> new NDList(pass.backward(gradient.singletonOrThrow())));
        return next.singletonOrThrow().reshape(x.getShape());
      }
    }
  }

  /** The first linear layer, gelu, dropout and, with the shortcut, the sum of the chunks. */
  private NDArray activate(NDArray x, NDArray weight, NDArray bias, boolean training) {
    // These are the model's largest arrays. The gradient graph keeps and frees the arrays that
    // backward needs. Handles that live to the end of the batch would keep them in memory longer.
    try (NDScope scope = new NDScope()) {
      scope.suppressNotUsedWarning();
      // PyTorch fuses the bias into the product only for matrices
      NDArray rows = x.reshape(-1, embeddingSize); // (B, T, C) -> (B*T, C)
      NDArray u = sloped(rows, weight, bias, training); // (B*T, C) -> (B*T, H)
      // reshaped before gelu, so that in backward the sum's gradient stays a broadcast view and is
      // never copied
      u =
          linear2 == null
              ? u.reshape(x.size(0), x.size(1), -1, embeddingSize) // -> (B, T, H/C, C)
              : u.reshape(x.size(0), x.size(1), -1); // (B*T, H) -> (B, T, H)
      // gelu(u) = silu(1.702 u) / 1.702: one operator forward, one backward, and one saved array
      u = DropoutMask.apply(Operators.get().call("silu", new NDList(u)), dropout, training);
      if (linear2 == null) {
        u = u.sum(new int[] {2}); // (B, T, H/C, C) -> (B, T, C)
      }
      u = u.mul(Constants.of(1 / SLOPE, u));
      NDScope.unregister(u);
      return u;
    }
  }

  /**
   * {@code 1.702 (W1 x + b1)}. In training, scales the weights instead of the output, because there
   * are fewer of them.
   */
  private static NDArray sloped(NDArray x, NDArray weight, NDArray bias, boolean training) {
    NDArray slope = Constants.of(SLOPE, x);
    return training
        ? Linear.linear(x, weight.mul(slope), bias.mul(slope)).singletonOrThrow()
        : Linear.linear(x, weight, bias).singletonOrThrow().mul(slope);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return inputShapes;
  }

  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    Inputs.checkActivations("Boom", inputShapes, embeddingSize);
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    linear1.initialize(manager, dataType, inputShapes);
    if (linear2 != null) {
      linear2.initialize(manager, dataType, linear1.getOutputShapes(inputShapes));
    }
  }
}
