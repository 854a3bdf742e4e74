package io.github.sharnn.bench;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.engine.kernels.GradientCuts;
import io.github.sharnn.engine.kernels.Kernels;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A check of this library's CUDA kernels: the same model, weights, tokens and state, forward and
 * backward, in FLOAT16 through the kernels and through PyTorch's, and in FLOAT32 through PyTorch's.
 * The errors of as many segments count together as hold 64 tokens, because those of a few tokens
 * depend on chance.
 *
 * @param embeddingSize the size C, a multiple of 128 up to 1,024
 * @param batchSize number of streams
 * @param sequenceLength steps of the segment
 * @param vocabularySize number of tokens V
 */
public record KernelCheck(
    int embeddingSize, int batchSize, int sequenceLength, int vocabularySize) {

  /** Difference from FLOAT32 that is always allowed, relative. */
  public static final double TOLERANCE = 2e-3;

  /** Difference from FLOAT32 that is allowed too, as a multiple of that of PyTorch's FLOAT16. */
  public static final double ROUNDING = 1.5;

  private static final int BYTES = 256;
  private static final int TOKENS = 64; // at least; with fewer, terms cancel by chance
  private static final int MEMORY = 64;
  private static final float NOISE = 0.02f;
  private static final float LOSS_WEIGHT = 0.02f; // keeps gradients within FLOAT16

  /**
   * Checks the numbers.
   *
   * @param embeddingSize at least 1
   * @param batchSize at least 1
   * @param sequenceLength at least 1
   * @param vocabularySize at least 1
   * @throws IllegalArgumentException if a number is below 1
   */
  public KernelCheck {
    checkArgument(embeddingSize >= 1, "embeddingSize must be at least 1, but is %s", embeddingSize);
    checkArgument(batchSize >= 1, "batchSize must be at least 1, but is %s", batchSize);
    checkArgument(
        sequenceLength >= 1, "sequenceLength must be at least 1, but is %s", sequenceLength);
    checkArgument(
        vocabularySize >= 1, "vocabularySize must be at least 1, but is %s", vocabularySize);
  }

  /**
   * Describes a check with a vocabulary of bytes.
   *
   * @param embeddingSize at least 1
   * @param batchSize at least 1
   * @param sequenceLength at least 1
   */
  public KernelCheck(int embeddingSize, int batchSize, int sequenceLength) {
    this(embeddingSize, batchSize, sequenceLength, BYTES);
  }

  /**
   * Runs the check.
   *
   * @param device a GPU
   * @return the differences from FLOAT32 of the outputs, the next states and all parameters'
   *     gradients, the largest of each kind compared with what is allowed
   * @throws IllegalStateException if the kernels can't run on this device
   */
  public GoldenReport run(Device device) {
    return run(device, Kernels.Use.REQUIRED);
  }

  /** Returns a model with two layers, of which the second has attention. */
  static SHARNNConfig config(int embeddingSize, int memoryLength) {
    return SHARNN
        .builder()
        .embeddingSize(embeddingSize)
        .boomSize(4 * embeddingSize)
        .layers(2)
        .attentionLayers(1)
        .memoryLength(memoryLength)
        .dropouts(0)
        .config();
  }

  /** Adds noise to all weights, because a norm that ignored its 1s and 0s would look right. */
  static void disturb(SHARNN block, NDManager manager) {
    for (Parameter parameter : SafetensorsWeights.names(block).values()) {
      NDArray weight = parameter.getArray();
      weight.addi(manager.randomNormal(0, NOISE, weight.getShape(), weight.getDataType()));
    }
  }

  /** Checks the kernels of a setting. */
  GoldenReport run(Device device, Kernels.Use use) {
    SHARNNConfig config =
        config(embeddingSize, MEMORY).toBuilder().vocabularySize(vocabularySize).config();
    try (NDManager manager = NDManager.newBaseManager(Devices.require(device))) {
      Shape shape = new Shape(batchSize, sequenceLength);
      SHARNN half = SHARNN.of(config);
      half.initialize(manager, DataType.FLOAT16, shape);
      disturb(half, manager);
      int draws = 1 + (TOKENS - 1) / (batchSize * sequenceLength);
      Map<String, Errors> errors = new LinkedHashMap<>();
      for (int i = 0; i < draws; i++) {
        try (NDManager scratch = manager.newSubManager()) {
          Segment segment = segment(half, scratch);
          Map<String, NDArray> stock = segment.run(Kernels.Use.OFF);
          Map<String, NDArray> actual = segment.run(use);
          Map<String, NDArray> exact = segment.inFloat32().run(Kernels.Use.OFF);
          exact.forEach(
              (name, expected) ->
                  errors
                      .computeIfAbsent(name, unused -> new Errors())
                      .add(actual.get(name), stock.get(name), expected));
        }
      }
      GoldenReport.Builder report = new GoldenReport.Builder();
      errors.forEach(
          (name, error) ->
              report.add(
                  new GoldenReport.Measure(
                      name.substring(0, name.indexOf(' ')),
                      name.substring(name.indexOf(' ') + 1),
                      error.relative(error.ofActual),
                      Math.max(TOLERANCE, ROUNDING * error.relative(error.ofStock)))));
      return report.build();
    }
  }

  /** Draws a segment, from the state after another one. */
  private Segment segment(SHARNN half, NDManager manager) {
    Shape shape = new Shape(batchSize, sequenceLength);
    NDArray tokens = manager.randomInteger(0, vocabularySize, shape, DataType.INT64);
    NDArray weights =
        manager.randomNormal(0, LOSS_WEIGHT, shape.add(vocabularySize), DataType.FLOAT16);
    SHARNNState state =
        half.kernels(Kernels.Use.OFF)
            .forward(
                new ParameterStore(manager, false),
                tokens,
                half.zeroState(manager, batchSize),
                false)
            .state();
    return new Segment(half, tokens, state.toNDList(), weights);
  }

  /** The squared errors of a tensor over all draws, and its squared norm. */
  private static final class Errors {

    private double ofActual;
    private double ofStock;
    private double norm;

    void add(NDArray actual, NDArray stock, NDArray expected) {
      try (NDManager scratch = expected.getManager().newSubManager()) {
        NDArray exact = inFloat64(expected, scratch);
        norm += exact.square().sum().getDouble();
        ofActual += inFloat64(actual, scratch).subi(exact).square().sum().getDouble();
        ofStock += inFloat64(stock, scratch).subi(exact).square().sum().getDouble();
      }
    }

    private static NDArray inFloat64(NDArray array, NDManager manager) {
      NDArray copy = array.toType(DataType.FLOAT64, true);
      copy.attach(manager);
      return copy;
    }

    double relative(double squares) {
      return Math.sqrt(norm == 0 ? squares : squares / norm);
    }
  }

  /**
   * The segment that all run, from a state that is not zero.
   *
   * @param lossWeights the loss is the sum of the logits with these weights {@code (B, T, V)}
   */
  private record Segment(SHARNN block, NDArray tokens, NDList state, NDArray lossWeights) {

    Segment {
      SafetensorsWeights.names(block)
          .values()
          .forEach(parameter -> parameter.getArray().setRequiresGradient(true));
    }

    Segment inFloat32() {
      NDManager manager = tokens.getManager();
      SHARNN other = SHARNN.of(block.config());
      other.initialize(manager, DataType.FLOAT32, tokens.getShape());
      Map<String, Parameter> weights = SafetensorsWeights.names(block);
      SafetensorsWeights.names(other)
          .forEach(
              (name, parameter) ->
                  parameter
                      .getArray()
                      .set(new NDIndex("..."), inFloat32(weights.get(name).getArray())));
      NDList states = new NDList();
      state.forEach(array -> states.add(inFloat32(array)));
      return new Segment(other, tokens, states, inFloat32(lossWeights));
    }

    private static NDArray inFloat32(NDArray array) {
      return array.toType(DataType.FLOAT32, true);
    }

    /** Returns copies of what the segment computes, by kind and name. */
    Map<String, NDArray> run(Kernels.Use use) {
      block.kernels(use);
      NDManager manager = tokens.getManager();
      Map<String, NDArray> results = new LinkedHashMap<>();
      try (GradientCuts cuts = GradientCuts.open(manager);
          GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        SHARNN.Output output =
            block.forward(
                new ParameterStore(manager, false),
                tokens,
                SHARNNState.fromNDList(block.config(), state),
                true);
        collector.backward(output.logits().mul(lossWeights).sum());
        cuts.backward();
        results.put("output logits", output.logits().stopGradient());
        for (int layer = 0; layer < output.state().layers().size(); layer++) {
          SHARNNState.Layer next = output.state().layers().get(layer);
          results.put("state hidden." + layer, next.hidden().stopGradient());
          results.put("state cell." + layer, next.cell().stopGradient());
        }
        SafetensorsWeights.names(block)
            .forEach(
                (name, parameter) -> {
                  NDArray gradient = parameter.getArray().getGradient();
                  NDArray copy = gradient.duplicate();
                  copy.attach(manager);
                  results.put("gradient " + name, copy);
                  gradient.muli(0); // the next run adds to it
                });
      }
      return results;
    }
  }
}
