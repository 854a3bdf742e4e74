package io.github.sharnn;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * From the last block's output to logits, or with splits to log-probabilities. The parameters are
 * {@link SHARNN}'s own, as a saved model names them.
 */
final class OutputLayer {

  final Parameter weight; // null where tied
  final Parameter bias;
  final Parameter tailVectors; // null where the softmax is not split
  final Parameter tailBias;
  private final SHARNNConfig config;

  OutputLayer(SHARNNConfig config) {
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

  /** Those that there are, in the order of a saved model. */
  List<Parameter> parameters() {
    return Stream.of(weight, bias, tailVectors, tailBias).filter(Objects::nonNull).toList();
  }

  void setShapes() {
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
   * @param h the last block's output {@code (T, B, C)}
   * @param table the embedding {@code (V, C)}, for tied weights
   * @param labels as {@link SHARNN#forward(ParameterStore, NDArray, NDList, SHARNNState, boolean)}
   *     takes them
   * @return {@code (B, T, V)}, or with splits of the labels {@code (B, T)}
   */
  NDArray forward(
      ParameterStore parameterStore, NDArray h, NDArray table, NDList labels, boolean training) {
    Device device = h.getDevice();
    NDArray matrix = weight == null ? table : parameterStore.getValue(weight, device, training);
    NDArray biases = parameterStore.getValue(bias, device, training);
    NDArray dropped = DropoutMask.apply(h, config.outputDropout(), training);
    if (config.hasSplits()) {
      return new SplitSoftmax(
              config.splits(),
              dropped.getManager(),
              matrix,
              biases,
              parameterStore.getValue(tailVectors, device, training),
              parameterStore.getValue(tailBias, device, training))
          .forward(dropped, labels == null ? null : SplitLabels.from(labels, config.splits()));
    }
    return Linear.linear(dropped.reshape(-1, config.embeddingSize()), matrix, biases)
        .singletonOrThrow() // (T*B, C) -> (T*B, V)
        .reshape(h.size(0), h.size(1), config.vocabularySize()) // -> (T, B, V)
        .transpose(1, 0, 2); // -> (B, T, V)
  }
}
