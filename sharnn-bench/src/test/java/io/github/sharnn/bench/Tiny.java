package io.github.sharnn.bench;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;

/** Models small enough for a test. */
final class Tiny {

  private Tiny() {}

  /** Two layers, the first with attention, no dropout. */
  static SHARNNConfig.Builder sharnn() {
    return SHARNN
        .builder()
        .vocabularySize(128)
        .embeddingSize(8)
        .boomSize(16)
        .layers(2)
        .attentionLayers(0)
        .memoryLength(64)
        .dropouts(0);
  }

  /** A model with its initial weights. */
  static Model model() {
    SHARNN block = sharnn().build();
    Model model = block.newModel("tiny");
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
    return model;
  }
}
