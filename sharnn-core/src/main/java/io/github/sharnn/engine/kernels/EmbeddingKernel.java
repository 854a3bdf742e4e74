package io.github.sharnn.engine.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.primitives.Ints;
import java.util.List;
import java.util.Map;

/**
 * The gradient of an embedding, to the bit the same in each run, unlike that of PyTorch 2.11.
 *
 * @param kernels the GPU's kernels
 */
public record EmbeddingKernel(Kernels kernels) {

  private static final int THREADS = 128;
  private static final int BLOCKS = 8192; // about, and the most words of a launch
  private static final int MOST_SLICES = 32;

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

  static Kernel kernel(Kernels kernels, long size) {
    return kernels.kernel("embedding.cu", "embedding_backward", Map.of("C", size), THREADS, 0);
  }

  private NDArray backward(NDArray words, Shape shape, NDArray gradient) {
    int vocabulary = Math.toIntExact(shape.get(0));
    if (vocabulary <= BLOCKS) {
      try (words) {
        return rows(words, vocabulary, gradient);
      }
    }
    // parts of the vocabulary, because FLOAT32 sums of all its rows can take gigabytes
    NDArray all = words.getManager().create(shape, DataType.FLOAT16);
    try (words) {
      for (int first = 0; first < vocabulary; first += BLOCKS) {
        int count = Math.min(BLOCKS, vocabulary - first);
        try (NDArray shifted = words.sub(first);
            NDArray part = rows(shifted, count, gradient)) {
          all.set(new NDIndex("{}:{}", first, first + count), part);
        }
      }
    }
    return all;
  }

  /** Returns the gradients of the words from 0 on. */
  private NDArray rows(NDArray words, int vocabulary, NDArray gradient) {
    long size = gradient.size(2);
    int slices = Ints.constrainToRange(BLOCKS / vocabulary, 1, MOST_SLICES);
    try (NDArray parts =
        words.getManager().create(new Shape(slices, vocabulary, size), DataType.FLOAT32)) {
      kernel(kernels, size)
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
