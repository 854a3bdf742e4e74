package io.github.sharnn.generate;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.initializer.NormalInitializer;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.TestModels;

/** Small models with random weights. */
public final class TinyModel {

  private TinyModel() {}

  public static SHARNNConfig.Builder builder() {
    return SHARNN.builder().embeddingSize(16).boomSize(32).layers(2).memoryLength(20).dropouts(0);
  }

  static Model of(SHARNNConfig.Builder options) {
    return of(options, DataType.FLOAT32, 0.7f);
  }

  /** Creates a model with weights so large that the next token depends on the past. */
  public static Model of(SHARNNConfig.Builder options, DataType dataType, float deviation) {
    SHARNN block = options.build();
    Model model = block.newModel("tiny");
    model.getNDManager().getEngine().setRandomSeed(11);
    block.setInitializer(new NormalInitializer(deviation), Parameter.Type.WEIGHT);
    block.initialize(model.getNDManager(), dataType, new Shape(1, 1));
    return model;
  }

  /** Runs a whole text at once, from {@code (1, T)} to {@code (1, T, V)}. */
  static NDArray logits(Model model, NDArray tokens) {
    return TestModels.logits(SHARNN.of(model), tokens.getManager(), tokens);
  }

  /** Counts the live arrays of the process. */
  static int liveArrays() {
    try (NDManager manager = NDManager.newBaseManager()) {
      return manager.getParentManager().getManagedArrays().size();
    }
  }
}
