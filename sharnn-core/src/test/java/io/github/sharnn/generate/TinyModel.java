package io.github.sharnn.generate;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.NormalInitializer;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;

/** Small models with random weights. */
final class TinyModel {

  private TinyModel() {}

  static SHARNNConfig.Builder builder() {
    return SHARNN.builder().embeddingSize(16).boomSize(32).layers(2).memoryLength(20).dropouts(0);
  }

  static Model of(SHARNNConfig.Builder options) {
    return of(options, DataType.FLOAT32);
  }

  static Model of(SHARNNConfig.Builder options, DataType dataType) {
    SHARNN block = options.build();
    Model model = block.newModel("tiny");
    model.getNDManager().getEngine().setRandomSeed(11);
    // far from the initial near-uniform distribution, so that the next byte depends on the past
    block.setInitializer(new NormalInitializer(0.7f), Parameter.Type.WEIGHT);
    block.initialize(model.getNDManager(), dataType, new Shape(1, 1));
    return model;
  }

  /** Of a whole text at once, from {@code (1, T)} to {@code (1, T, V)}. */
  static NDArray logits(Model model, NDArray tokens) {
    ParameterStore parameterStore = new ParameterStore(tokens.getManager(), false);
    return SHARNN.of(model).forward(parameterStore, new NDList(tokens), false).singletonOrThrow();
  }
}
