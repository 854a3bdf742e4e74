package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.github.sharnn.engine.Initializers;
import java.util.Arrays;

/**
 * The over-parameterised static vector: {@code Overparam(x) = sigmoid(f) * tanh(c)} with {@code [c,
 * f] = W x + b}.
 *
 * <p>{@link SingleHeadAttention} feeds it one learned vector, so that after training its output is
 * one fixed vector: {@link SHARNN#collapse} replaces the block by that vector, which saves 2C*C +
 * 2C parameters.
 *
 * <p>Paper: arXiv:1911.11423 (over-parameterised static learned vectors).
 *
 * <ul>
 *   <li>Input: x {@code (..., C)}
 *   <li>Output: {@code (..., C)}
 *   <li>Parameters: W {@code (2C, C)} from N(0, 0.1 / sqrt(C)), b {@code (2C)} from 0
 * </ul>
 */
public final class Overparam extends AbstractBlock {

  final Linear linear;
  private final int size;

  private Overparam(int size) {
    this.size = size;
    linear = addChildBlock("linear", Linear.builder().setUnits(2L * size).build());
    Initializers.linear(linear, size);
  }

  /**
   * {@return the block, uninitialized}
   *
   * @param size the vector's size C, at least 1
   * @throws IllegalArgumentException if the size is below 1
   */
  public static Overparam of(int size) {
    checkArgument(size >= 1, "size must be at least 1, but is %s", size);
    return new Overparam(size);
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray x = inputs.singletonOrThrow();
    int lastAxis = x.getShape().dimension() - 1;
    NDList cf =
        linear
            .forward(parameterStore, new NDList(x), training)
            .singletonOrThrow()
            .split(2, lastAxis); // (..., C) -> (..., 2C) -> 2 x (..., C)
    return new NDList(Activation.sigmoid(cf.get(1)).mul(Activation.tanh(cf.get(0))));
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return inputShapes;
  }

  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    checkArgument(
        inputShapes.length == 1
            && inputShapes[0].dimension() > 0
            && inputShapes[0].get(inputShapes[0].dimension() - 1) == size,
        "Overparam takes one input whose last axis is its size %s, but was given %s",
        size,
        Arrays.toString(inputShapes));
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    linear.initialize(manager, dataType, inputShapes);
  }
}
