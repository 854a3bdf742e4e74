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
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.Initializers;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The output layer: computes logits, or log-probabilities with splits, from the last block's
 * output. {@link io.github.sharnn.SHARNN} owns the parameters.
 */
public final class OutputLayer {

  private static final int ALIGNED_COLUMNS = 8; // of FLOAT16, 16 bytes
  private static final int MANY_ROWS = 64; // with more rows, padding saves more than it costs

  public final Parameter weight; // null if tied
  public final Parameter bias;
  public final Parameter tailVectors; // null without splits
  public final Parameter tailBias;
  private final SHARNNConfig config;

  public OutputLayer(SHARNNConfig config) {
    this.config = config;
    Initializer normal = Initializers.normal(config.embeddingSize());
    boolean tied = config.tiedOutput();
    boolean split = config.hasSplits();
    weight = tied ? null : Initializers.parameter("outputWeight", Parameter.Type.WEIGHT, normal);
    bias = Initializers.parameter("outputBias", Parameter.Type.BIAS, Initializer.ZEROS);
    tailVectors =
        split ? Initializers.parameter("tailVectors", Parameter.Type.WEIGHT, normal) : null;
    tailBias =
        split ? Initializers.parameter("tailBias", Parameter.Type.BIAS, Initializer.ZEROS) : null;
  }

  /** Returns the parameters in the order of {@link io.github.sharnn.Weight}. */
  public List<Parameter> parameters() {
    return Stream.of(weight, bias, tailVectors, tailBias).filter(Objects::nonNull).toList();
  }

  public void setShapes() {
    int size = config.embeddingSize();
    int vocabulary = config.vocabularySize();
    if (weight != null) {
      weight.setShape(new Shape(vocabulary, size));
    }
    bias.setShape(new Shape(vocabulary));
    if (tailVectors != null) {
      int tails = config.splits().size();
      tailVectors.setShape(new Shape(tails, size));
      tailBias.setShape(new Shape(tails));
    }
  }

  /**
   * Runs one segment.
   *
   * @param h the last block's output after dropout, {@code (T, B, C)}
   * @param table the embedding {@code (V, C)}, for tied weights
   * @param labels as {@link io.github.sharnn.SHARNN#forward(ParameterStore, NDArray, NDList,
   *     SHARNNState, boolean)} takes them
   * @return {@code (B, T, V)}, or with splits of the labels {@code (B, T)}
   */
  public NDArray forward(
      ParameterStore parameterStore, NDArray h, NDArray table, NDList labels, boolean training) {
    Device device = h.getDevice();
    NDArray matrix = weight == null ? table : parameterStore.getValue(weight, device, training);
    NDArray biases = parameterStore.getValue(bias, device, training);
    if (config.hasSplits()) {
      return new AdaptiveSoftmax(
              config.splits(),
              h.getManager(),
              matrix,
              biases,
              parameterStore.getValue(tailVectors, device, training),
              parameterStore.getValue(tailBias, device, training))
          .forward(h, labels == null ? null : ClusterLabels.from(labels, config.splits()));
    }
    return logits(h.reshape(-1, config.embeddingSize()), matrix, biases) // -> (T*B, V)
        .reshape(h.size(0), h.size(1), config.vocabularySize()) // -> (T, B, V)
        .transpose(1, 0, 2); // -> (B, T, V)
  }

  /**
   * Multiplies by the vectors of tokens and adds their bias. In FLOAT16 a GPU takes five times as
   * long for a product whose rows do not begin at multiples of 16 bytes. For many rows the columns
   * are therefore padded to a multiple of 8 and the padding is cut off again. For few rows, copying
   * the vectors would take longer.
   *
   * @param h {@code (N, C)}; its manager owns the padded weights
   * @param vectors {@code (n, C)}
   * @param bias {@code (n)}
   * @return {@code (N, n)}
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
