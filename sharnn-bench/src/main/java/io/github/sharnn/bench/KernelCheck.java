package io.github.sharnn.bench;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
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
 * A check of this library's CUDA kernels against PyTorch's: the same model, weights, tokens and
 * state, forward and backward in FLOAT16.
 *
 * @param embeddingSize the size C, a multiple of 128 up to 1,024
 * @param batchSize number of streams
 * @param sequenceLength steps of the segment
 */
public record KernelCheck(int embeddingSize, int batchSize, int sequenceLength) {

  /** Relative difference allowed. */
  public static final double TOLERANCE = 2e-3;

  private static final int MEMORY = 64;
  private static final float LOSS_WEIGHT = 0.02f; // keeps gradients within FLOAT16

  /**
   * Runs the check.
   *
   * @param device a GPU
   * @return the differences of the outputs, the next states and all parameters' gradients, the
   *     largest of each kind
   * @throws IllegalStateException if the kernels can't run on this device
   */
  public GoldenReport run(Device device) {
    return run(device, Kernels.Use.REQUIRED);
  }

  /** Compares PyTorch's kernels with those of a setting. */
  GoldenReport run(Device device, Kernels.Use use) {
    SHARNNConfig config =
        SHARNN
            .builder()
            .embeddingSize(embeddingSize)
            .boomSize(4 * embeddingSize)
            .layers(2)
            .attentionLayers(1)
            .memoryLength(MEMORY)
            .dropouts(0)
            .config();
    SHARNN block = SHARNN.of(config);
    try (NDManager manager = NDManager.newBaseManager(Devices.require(device))) {
      Shape shape = new Shape(batchSize, sequenceLength);
      block.initialize(manager, DataType.FLOAT16, shape);
      SafetensorsWeights.names(block)
          .values()
          .forEach(parameter -> parameter.getArray().setRequiresGradient(true));
      Segment segment = new Segment(block, manager, shape);
      Map<String, NDArray> expected = segment.run(Kernels.Use.OFF);
      Map<String, NDArray> actual = segment.run(use);
      GoldenReport.Builder report = new GoldenReport.Builder();
      expected.forEach(
          (name, array) ->
              report.add(
                  new GoldenReport.Measure(
                      name.substring(0, name.indexOf(' ')),
                      name.substring(name.indexOf(' ') + 1),
                      GoldenCheck.relativeError(actual.get(name), array),
                      TOLERANCE)));
      return report.build();
    }
  }

  /** The segment that both run, from a state that is not zero. */
  private static final class Segment {

    private final SHARNN block;
    private final NDManager manager;
    private final ParameterStore parameterStore;
    private final NDArray tokens;
    private final NDArray lossWeights;
    private final SHARNNState state;

    Segment(SHARNN block, NDManager manager, Shape shape) {
      this.block = block;
      this.manager = manager;
      parameterStore = new ParameterStore(manager, false);
      int words = block.config().vocabularySize();
      tokens = manager.randomInteger(0, words, shape, DataType.INT64);
      lossWeights = manager.randomNormal(0, LOSS_WEIGHT, shape.add(words), DataType.FLOAT16);
      block.kernels(Kernels.Use.OFF);
      NDArray before = manager.randomInteger(0, words, shape, DataType.INT64);
      SHARNNState zero = block.zeroState(manager, shape.get(0));
      state = block.forward(parameterStore, before, zero, false).state();
    }

    /** Returns copies of what the segment computes, by kind and name. */
    Map<String, NDArray> run(Kernels.Use use) {
      block.kernels(use);
      Map<String, NDArray> results = new LinkedHashMap<>();
      try (GradientCuts cuts = GradientCuts.open(manager);
          GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        SHARNN.Output output = block.forward(parameterStore, tokens, state, true);
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
                  results.put("gradient " + name, gradient.duplicate());
                  gradient.muli(0); // the next run adds to it
                });
      }
      return results;
    }
  }
}
