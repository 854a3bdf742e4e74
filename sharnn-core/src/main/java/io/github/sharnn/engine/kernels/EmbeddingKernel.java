package io.github.sharnn.engine.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.primitives.Ints;
import java.util.List;
import java.util.Map;

/**
 * The gradient of an embedding, to the bit the same in each run. PyTorch 2.11 adds the rows of a
 * token in any order.
 */
public final class EmbeddingKernel {

  private static final int THREADS = 128;
  private static final int BLOCKS = 8192; // about
  private static final int MOST_SLICES = 32;

  private final Kernels kernels;

  /**
   * Describes the kernel.
   *
   * @param kernels the GPU's kernels
   */
  public EmbeddingKernel(Kernels kernels) {
    this.kernels = kernels;
  }

  /**
   * Cuts the gradient graph after an embedding, whose backward is then this kernel's.
   *
   * @param tokens {@code (T, B)}
   * @param table the embedding {@code (V, C)}, which gets a gradient unless it is frozen
   * @param embedded the tokens' rows {@code (T, B, C)}
   * @return the rows to compute on with; the manager of {@code embedded} owns them
   */
  public NDArray cut(NDArray tokens, NDArray table, NDArray embedded) {
    GradientCuts cuts = GradientCuts.current();
    NDArray words = tokens.toType(DataType.INT32, false).reshape(-1);
    words.attach(cuts.manager());
    boolean learns = table.hasGradient();
    try (embedded) {
      return cuts.cut(
              learns ? List.of(table) : List.of(),
              new NDList(embedded),
              gradients ->
                  learns
                      ? new NDList(backward(words, table.getShape(), gradients.head()))
                      : new NDList())
          .singletonOrThrow();
    }
  }

  private NDArray backward(NDArray words, Shape shape, NDArray gradient) {
    NDManager manager = words.getManager();
    int vocabulary = Math.toIntExact(shape.get(0));
    long size = shape.get(1);
    int slices = Ints.constrainToRange(BLOCKS / vocabulary, 1, MOST_SLICES);
    try (words;
        NDArray parts = manager.create(new Shape(slices, vocabulary, size), DataType.FLOAT32)) {
      kernels
          .kernel("embedding.cu", "embedding_backward", Map.of("C", size), THREADS, 0)
          .launch(
              vocabulary * slices,
              words,
              gradient,
              parts,
              Math.toIntExact(words.size()),
              vocabulary);
      try (NDArray sum = parts.sum(new int[] {0})) {
        return sum.toType(DataType.FLOAT16, false);
      }
    }
  }
}
