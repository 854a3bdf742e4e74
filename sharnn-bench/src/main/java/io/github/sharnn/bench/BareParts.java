package io.github.sharnn.bench;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import com.google.common.math.Quantiles;
import io.github.sharnn.SHABlock;
import io.github.sharnn.SHARNNConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * The computation that every implementation of a training step needs: the LSTMs, forward and
 * backward, and every large matrix product with the products of its backward pass. There is no
 * graph, no bias and no element-wise operation. Its time is the floor of a step's time.
 *
 * <p>The methods only queue work on a GPU; {@link #await} waits for it. They return the number of
 * multiply-adds of their products, counted from the operands.
 */
final class BareParts implements AutoCloseable {

  private static final double BLOCK_MILLISECONDS = 50;
  private static final int MAX_REPETITIONS = 100;
  private static final int MIN_BLOCKS = 5;
  private static final int MAX_BLOCKS = 11;
  private static final double PART_MILLISECONDS = 2000;

  private final SHARNNConfig config;
  private final NDManager manager;
  private final ParameterStore parameterStore;
  final List<LSTM> lstms = new ArrayList<>();
  private final NDArray input; // (T, B, C)
  private final NDArray zeroState; // (1, B, C)
  private final NDArray activations; // (B*T, C)
  private final NDArray boomActivations; // (B*T, H)
  private final NDList logits = new NDList(); // of each softmax, (rows, size)
  private final NDArray boomWeight; // (H, C)
  private final NDArray boomSecondWeight; // (C, H)
  private final NDArray projectionWeight; // (C, C)
  private final NDList outputWeights = new NDList(); // (size, C)
  private final NDArray queries; // (B, T, C)
  private final NDArray keys; // (B, K, C)
  private final NDArray scores; // (B, T, K)
  private final NDArray segmentScores; // (B, T, T)
  private final NDArray flatKeys; // (B*K, C)
  private final NDArray readBack; // ()

  /** Creates random operands for B streams and segments of T. */
  BareParts(
      SHARNNConfig config, int batchSize, int sequenceLength, DataType precision, Device device) {
    this.config = config;
    manager = NDManager.newBaseManager(device, "PyTorch");
    try {
      parameterStore = new ParameterStore(manager, false);
      int size = config.embeddingSize();
      long tokens = (long) batchSize * sequenceLength;
      // a full memory: the segment and the older positions that fit
      long window = Math.max(config.memoryLength(), sequenceLength);
      Shape segment = new Shape(batchSize, sequenceLength, size);
      Shape timeFirst = new Shape(sequenceLength, batchSize, size);
      Shape state = new Shape(1, batchSize, size);
      for (int layer = 0; layer < config.layers(); layer++) {
        LSTM lstm = lstm(layer, segment, precision);
        // PyTorch does not check it: with another shape, it reads and writes out of bounds
        checkState(
            lstm.getOutputShapes(new Shape[] {timeFirst})[1].equals(state),
            "SHABlock's LSTM does not take (T, B, C)");
        lstms.add(lstm);
      }
      input = random(precision, sequenceLength, batchSize, size);
      input.setRequiresGradient(true); // in the model, a gradient flows to the layer below
      zeroState = manager.zeros(state, precision);
      activations = random(precision, tokens, size);
      boomActivations = random(precision, tokens, config.boomSize());
      boomWeight = random(precision, config.boomSize(), size);
      boomSecondWeight = random(precision, size, config.boomSize());
      projectionWeight = random(precision, size, size);
      drawOutputs(tokens, precision);
      queries = random(precision, batchSize, sequenceLength, size);
      // without attention, these operands are empty
      long attended = config.attentionLayers().isEmpty() ? 0 : window;
      keys = random(precision, batchSize, attended, size);
      scores = random(precision, batchSize, sequenceLength, attended);
      long own = Math.min(attended, sequenceLength);
      segmentScores = random(precision, batchSize, sequenceLength, own);
      flatKeys = keys.reshape(batchSize * attended, size);
      readBack = manager.zeros(new Shape());
    } catch (RuntimeException e) {
      manager.close(); // perhaps out of memory: frees the operands
      throw e;
    }
  }

  /** Returns a block's LSTM, with the block's layout of its weights in memory. */
  private LSTM lstm(int layer, Shape segment, DataType precision) {
    SHABlock block = SHABlock.of(config, layer);
    block.initialize(manager, precision, segment);
    for (Block child : block.getChildren().values()) {
      if (child instanceof LSTM lstm) {
        for (Parameter parameter : lstm.getParameters().values()) {
          parameter.getArray().setRequiresGradient(true);
        }
        return lstm;
      }
    }
    throw new IllegalStateException("SHABlock has no LSTM");
  }

  /** Creates the operands of one softmax, or of a head and tails with their expected rows. */
  private void drawOutputs(long tokens, DataType precision) {
    List<Integer> bounds = new ArrayList<>(config.splits());
    bounds.add(config.vocabularySize());
    ZipfTokens shares = new ZipfTokens(config.vocabularySize());
    for (int part = 0; part < bounds.size(); part++) {
      int from = part == 0 ? 0 : bounds.get(part - 1);
      int to = bounds.get(part);
      long rows = part == 0 ? tokens : (long) Math.ceil(tokens * shares.share(from, to));
      int outputs = part == 0 ? to + config.splits().size() : to - from;
      logits.add(random(precision, rows, outputs));
      outputWeights.add(random(precision, outputs, config.embeddingSize()));
    }
  }

  private NDArray random(DataType precision, long... shape) {
    return manager.randomNormal(0, 1, new Shape(shape), precision);
  }

  /** Computes every layer's LSTM, forward and backward, from a zero state. */
  void lstms() {
    for (LSTM lstm : lstms) {
      try (NDScope scope = new NDScope();
          GradientCollector collector = manager.getEngine().newGradientCollector()) {
        scope.suppressNotUsedWarning();
        NDList outputs =
            lstm.forward(parameterStore, new NDList(input, zeroState, zeroState), true);
        collector.backward(outputs.head()); // the gradient of the sum, since DJL starts from ones
      }
    }
  }

  /** Computes the products of every layer's Boom. */
  long boom() {
    long multiplyAdds = 0;
    for (int layer = 0; layer < config.layers(); layer++) {
      multiplyAdds += linear(activations, boomWeight, boomActivations);
      if (!config.boomShortcut()) {
        multiplyAdds += linear(boomActivations, boomSecondWeight, activations);
      }
    }
    return multiplyAdds;
  }

  /**
   * Computes the products of every layer's attention: projections, scores and context. Positions of
   * earlier segments get no gradient, but the weights that project these positions do.
   */
  long attention() {
    NDArray keyGradients = config.keyProjection() ? scores : segmentScores;
    NDArray valueGradients = config.valueProjection() ? scores : segmentScores;
    long multiplyAdds = 0;
    for (int count = config.attentionLayers().size(); count > 0; count--) {
      multiplyAdds += linear(activations, projectionWeight, activations);
      multiplyAdds += config.keyProjection() ? project() : 0;
      multiplyAdds += config.valueProjection() ? project() : 0;
      try (NDArray keysTransposed = keys.transpose(0, 2, 1); // (B, K, C) -> (B, C, K)
          NDArray forKeys = keyGradients.transpose(0, 2, 1); // (B, T, T) -> (B, T, T)
          NDArray forValues = valueGradients.transpose(0, 2, 1)) { // (B, T, T) -> (B, T, T)
        multiplyAdds += batchMultiply(queries, keysTransposed); // Q K^T: (B, T, K)
        multiplyAdds += batchMultiply(scores, keys); // gradient of Q: (B, T, C)
        multiplyAdds += batchMultiply(forKeys, queries); // gradient of the segment's K: (B, T, C)
        multiplyAdds += batchMultiply(scores, keys); // A V: (B, T, C)
        multiplyAdds += batchMultiply(queries, keysTransposed); // gradient of A: (B, T, K)
        multiplyAdds += batchMultiply(forValues, queries); // gradient of the segment's V: (B, T, C)
      }
    }
    return multiplyAdds;
  }

  /** Computes {@code k W^T}, the gradient of W, and that of k for the segment's positions. */
  private long project() {
    try (NDArray weightTransposed = projectionWeight.transpose();
        NDArray gradientTransposed = flatKeys.transpose()) {
      return multiply(flatKeys, weightTransposed)
          + multiply(gradientTransposed, flatKeys)
          + multiply(activations, projectionWeight);
    }
  }

  /** Computes the products of the output layer. */
  long output() {
    long multiplyAdds = 0;
    for (int part = 0; part < logits.size(); part++) {
      NDArray gradient = logits.get(part);
      try (NDArray rows = activations.get(new NDIndex(":{}", gradient.size(0)))) {
        multiplyAdds += linear(rows, outputWeights.get(part), gradient);
      }
    }
    return multiplyAdds;
  }

  /** Computes {@code y = x W^T}, then the gradients of x and W from a gradient of y. */
  private static long linear(NDArray x, NDArray weight, NDArray yGradient) {
    try (NDArray weightTransposed = weight.transpose();
        NDArray gradientTransposed = yGradient.transpose()) {
      return multiply(x, weightTransposed)
          + multiply(yGradient, weight)
          + multiply(gradientTransposed, x);
    }
  }

  private static long multiply(NDArray a, NDArray b) {
    try (NDArray product = a.matMul(b)) {
      return product.size() * a.size(1);
    }
  }

  private static long batchMultiply(NDArray a, NDArray b) {
    try (NDArray product = a.batchMatMul(b)) {
      return product.size() * a.size(2);
    }
  }

  /** Waits for the queued work of the device, by reading a number back. */
  void await() {
    readBack.getFloat();
  }

  /**
   * Times one of the methods: the median over blocks of repetitions. Each block ends with one wait
   * for the device. Takes about 2 s, but at least 7 runs of the method.
   */
  double milliseconds(Runnable part) {
    milliseconds(part, 1); // warm-up: PyTorch chooses kernels and reserves memory
    double once = milliseconds(part, 1);
    int repetitions = (int) Math.min(Math.max(BLOCK_MILLISECONDS / once, 1), MAX_REPETITIONS);
    List<Double> blocks = new ArrayList<>();
    double used = 0;
    while (blocks.size() < MIN_BLOCKS || (blocks.size() < MAX_BLOCKS && used < PART_MILLISECONDS)) {
      double time = milliseconds(part, repetitions);
      used += time * repetitions;
      blocks.add(time);
    }
    return Quantiles.median().compute(blocks);
  }

  private double milliseconds(Runnable part, int repetitions) {
    long begin = System.nanoTime();
    for (int i = 0; i < repetitions; i++) {
      part.run();
    }
    await();
    return (System.nanoTime() - begin) / 1e6 / repetitions;
  }

  @Override
  public void close() {
    manager.close();
  }
}
