package io.github.sharnn.softmax;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import io.github.sharnn.engine.Initializers;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The output layer: computes logits, or log-probabilities with splits, from the last block's
 * output. {@link io.github.sharnn.SHARNN} owns the parameters.
 */
public final class OutputLayer {

  private static final int ALIGNED_COLUMNS = 8; // of FLOAT16, 16 bytes
  private static final int MANY_ROWS = 64; // with more rows, padding saves more than it costs

  private final @Nullable Parameter weight; // null if tied
  private final Parameter bias;
  private final @Nullable Parameter tailVectors; // null without splits
  private final @Nullable Parameter tailBias;
  private final List<Integer> splits;

  /**
   * Creates the layer.
   *
   * @param vocabularySize number of tokens V
   * @param embeddingSize size C of the vectors
   * @param splits the first token of each tail; empty for one softmax over all tokens
   * @param tied true if the embedding is also the output's weight
   */
  public OutputLayer(int vocabularySize, int embeddingSize, List<Integer> splits, boolean tied) {
    this.splits = splits;
    int tails = splits.size();
    weight = tied ? null : vectors("outputWeight", vocabularySize, embeddingSize);
    bias = bias("outputBias", vocabularySize);
    tailVectors = tails == 0 ? null : vectors("tailVectors", tails, embeddingSize);
    tailBias = tails == 0 ? null : bias("tailBias", tails);
  }

  private static Parameter vectors(String name, int count, int size) {
    Initializer normal = Initializers.normal(size);
    return Initializers.parameter(name, Parameter.Type.WEIGHT, normal, count, size);
  }

  private static Parameter bias(String name, int count) {
    return Initializers.parameter(name, Parameter.Type.BIAS, Initializer.ZEROS, count);
  }

  /** {@return the parameters in the order of {@link io.github.sharnn.Weight}} */
  public List<Parameter> parameters() {
    return Stream.of(weight, bias, tailVectors, tailBias).filter(Objects::nonNull).toList();
  }

  /**
   * Runs one segment.
   *
   * @param parameterStore the store of the weights
   * @param h the last block's output after dropout, {@code (T, B, C)}
   * @param table the embedding {@code (V, C)}, for tied weights
   * @param labels as {@link io.github.sharnn.SHARNN#forward(ParameterStore, NDArray, NDList,
   *     SHARNNState, boolean)} takes them
   * @param training whether gradients flow into the weights
   * @return logits or log-probabilities {@code (B, T, V)}; with splits and labels, the labels'
   *     log-probabilities {@code (B, T)}
   */
  public NDArray forward(
      ParameterStore parameterStore,
      NDArray h,
      NDArray table,
      @Nullable NDList labels,
      boolean training) {
    Device device = h.getDevice();
    NDArray matrix = weight == null ? table : parameterStore.getValue(weight, device, training);
    NDArray biases = parameterStore.getValue(bias, device, training);
    if (!splits.isEmpty()) {
      return new AdaptiveSoftmax(
              splits,
              h.getManager(),
              matrix,
              biases,
              parameterStore.getValue(tailVectors, device, training),
              parameterStore.getValue(tailBias, device, training))
          .forward(h, labels == null ? null : ClusterLabels.from(labels, splits));
    }
    return logits(h.reshape(-1, h.size(2)), matrix, biases) // -> (T*B, V)
        .reshape(h.size(0), h.size(1), matrix.size(0)) // -> (T, B, V)
        .transpose(1, 0, 2); // -> (B, T, V)
  }

  /**
   * Computes {@code h vectors^T + bias}, {@code (N, n)}. In FLOAT16 a GPU takes five times as long
   * for a product whose rows do not begin at multiples of 16 bytes. For many rows, this method pads
   * the columns to a multiple of 8 and removes the padding afterwards. For few rows, copying the
   * vectors would take longer.
   */
  static NDArray logits(NDArray h, NDArray vectors, NDArray bias) {
    long tokens = vectors.size(0);
    long missing = Math.floorMod(-tokens, ALIGNED_COLUMNS);
    if (missing == 0 || h.size(0) < MANY_ROWS || h.getDataType() != DataType.FLOAT16) {
      return Linear.linear(h, vectors, bias).singletonOrThrow(); // (N, C) -> (N, n)
    }
    NDManager manager = h.getManager();
    NDArray more = manager.zeros(new Shape(missing, h.size(1)), DataType.FLOAT16);
    NDArray wideVectors = vectors.concat(more); // (n, C) -> (n + missing, C)
    NDArray wideBias = bias.concat(manager.zeros(new Shape(missing), DataType.FLOAT16));
    wideVectors.attach(manager);
    wideBias.attach(manager);
    return Linear.linear(h, wideVectors, wideBias)
        .singletonOrThrow() // (N, C) -> (N, n + missing)
        .get(new NDIndex(":, :{}", tokens)); // -> (N, n)
  }
}
