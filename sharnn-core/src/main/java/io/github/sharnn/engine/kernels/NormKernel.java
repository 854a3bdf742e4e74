package io.github.sharnn.engine.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * One or two layer norms of one input, in one pass over it, forward and backward.
 *
 * @param kernels the GPU's kernels
 * @param epsilon what is added to the variance
 */
public record NormKernel(Kernels kernels, double epsilon) {

  private static final int THREADS = 256;
  private static final int WARP = 32;
  private static final int PART = 8; // numbers of 16 bytes
  private static final int BLOCKS = 4; // of a multiprocessor, in backward
  private static final double USUAL_EPSILON = 1e-12; // of a model; another one compiles again

  /**
   * Normalizes over the last axis.
   *
   * @param x {@code (T, B, C)}, FLOAT16, in training an array in the gradient graph
   * @param norms one or two DJL layer norms
   * @param parameterStore the store of their parameters
   * @param training if gradients flow, through the open {@link GradientCuts}
   * @return a result like x for each norm, owned by the manager of x
   */
  public List<NDArray> forward(
      NDArray x, List<LayerNorm> norms, ParameterStore parameterStore, boolean training) {
    GradientCuts cuts = training ? GradientCuts.current() : null;
    NDManager owner = cuts == null ? x.getManager() : cuts.manager();
    NDList parameters = new NDList(); // gamma and beta of each norm
    for (LayerNorm norm : norms) {
      for (Parameter parameter : norm.getDirectParameters().values()) {
        parameters.add(parameterStore.getValue(parameter, x.getDevice(), training));
      }
    }
    Pass pass = new Pass(owner, x, parameters);
    NDList results = pass.forward(x.getManager());
    if (cuts == null) {
      pass.x.close();
      pass.statistics.close();
      return results;
    }
    List<NDArray> learning = new ArrayList<>(List.of(pass.x));
    parameters.stream().filter(NDArray::hasGradient).forEach(learning::add);
    try (results) {
      return cuts.cut(learning, results, gradients -> pass.backward(gradients));
    }
  }

  /** The source's functions. */
  private enum Function {
    NORM_FORWARD,
    NORM_BACKWARD,
    NORM_GRADIENTS;

    Kernel compile(Kernels kernels, int size, int norms, double epsilon) {
      // in backward a thread has one part of a row
      int threads = this == NORM_BACKWARD ? (size / PART + WARP - 1) / WARP * WARP : THREADS;
      Map<String, Object> constants = Map.of("C", size, "NORMS", norms, "EPSILON", epsilon + "f");
      return kernels.kernel("norm.cu", name().toLowerCase(Locale.ROOT), constants, threads, 0);
    }
  }

  /** Compiles all functions for one or two norms with a model's epsilon. */
  static void compile(Kernels kernels, int size, int norms) {
    for (Function function : Function.values()) {
      function.compile(kernels, size, norms, USUAL_EPSILON);
    }
  }

  /** One pass, with what its backward needs. */
  private final class Pass {

    private final NDArray x; // (T * B, C), contiguous
    private final NDArray statistics; // (T * B, 2): mean and 1 / deviation
    private final NDList parameters;
    private final Shape shape;
    private final int rows;
    private final int size;

    Pass(NDManager owner, NDArray x, NDList parameters) {
      this.parameters = parameters;
      shape = x.getShape();
      size = Math.toIntExact(x.size(2));
      rows = Math.toIntExact(x.size() / size);
      this.x = x.reshape(rows, size);
      this.x.attach(owner);
      statistics = owner.create(new Shape(rows, 2), DataType.FLOAT32);
    }

    private Kernel kernel(Function function) {
      return function.compile(kernels, size, parameters.size() / 2, epsilon);
    }

    NDList forward(NDManager manager) {
      NDList results = new NDList();
      for (int i = 0; i < parameters.size(); i += 2) {
        results.add(manager.create(shape, DataType.FLOAT16));
      }
      int last = parameters.size() - 2;
      kernel(Function.NORM_FORWARD)
          .launch(
              (rows * WARP + THREADS - 1) / THREADS,
              x,
              statistics,
              rows,
              parameters.get(0),
              parameters.get(1),
              results.head(),
              parameters.get(last),
              parameters.get(last + 1),
              results.get(results.size() - 1));
      return results;
    }

    /** Returns the gradients of x and of the parameters that learn. */
    NDList backward(NDList ofResults) {
      NDManager manager = x.getManager();
      int blocks = kernels.multiprocessors() * BLOCKS;
      NDArray ofX = manager.create(x.getShape(), DataType.FLOAT16);
      NDArray ofParameters = manager.create(new Shape(parameters.size(), size), DataType.FLOAT16);
      try (statistics;
          ofParameters;
          NDArray partial =
              manager.create(new Shape(blocks, parameters.size(), size), DataType.FLOAT32)) {
        kernel(Function.NORM_BACKWARD)
            .launch(
                blocks,
                x,
                statistics,
                rows,
                parameters.head(),
                ofResults.head(),
                parameters.get(parameters.size() - 2),
                ofResults.get(ofResults.size() - 1),
                ofX,
                partial);
        kernel(Function.NORM_GRADIENTS)
            .launch(parameters.size() * size / WARP, partial, ofParameters, blocks);
        NDList gradients = new NDList(ofX);
        for (int i = 0; i < parameters.size(); i++) {
          if (parameters.get(i).hasGradient()) {
            gradients.add(ofParameters.get(i));
          }
        }
        return gradients;
      }
    }
  }
}
