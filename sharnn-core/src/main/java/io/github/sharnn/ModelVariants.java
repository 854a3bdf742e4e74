package io.github.sharnn;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.github.sharnn.engine.InferenceMode;
import io.github.sharnn.engine.Int8Matrix;
import io.github.sharnn.engine.Lifetime;
import java.util.HashMap;
import java.util.Map;

/** Builders of models with other options from a trained model's weights. */
final class ModelVariants {

  private ModelVariants() {}

  /** Implements {@link SHARNN#collapse}. */
  static SHARNN collapse(SHARNN model, NDManager manager) {
    checkState(
        model.isInitialized(), "a model must be initialized or loaded before it is collapsed");
    SHARNN collapsed = model.variant(model.config().withCollapsed());
    Lifetime.Lease lease = model.leaseOfWeights();
    try (lease;
        NDManager scratch = manager.newSubManager()) {
      Map<String, NDArray> weights = new HashMap<>();
      SafetensorsWeights.names(model).forEach((name, p) -> weights.put(name, p.getArray()));
      ParameterStore parameterStore = new ParameterStore(scratch, false);
      for (int layer : model.config().attentionLayers()) {
        SingleHeadAttention attention = model.blocks.get(layer).attention;
        NDArray scale =
            InferenceMode.call(
                () -> attention.valueScale(parameterStore, scratch, scratch.getDevice(), false));
        weights.put("blocks." + layer + ".attn.vs", scale);
      }
      collapsed.initialize(manager, model.embedding.getArray().getDataType(), new Shape(1, 1));
      SafetensorsWeights.names(collapsed)
          .forEach((name, p) -> SafetensorsWeights.assign(p, weights.get(name)));
    }
    return collapsed;
  }

  /** Rounds the matrices in place to what 8 bits can hold. */
  static void quantize(SHARNN model) {
    for (Parameter parameter : SafetensorsWeights.names(model).values()) {
      NDArray array = parameter.getArray();
      if (SafetensorsWeights.isMatrix(array.getShape())) {
        try (NDManager scratch = array.getManager().newSubManager()) {
          SafetensorsWeights.assign(parameter, Int8Matrix.of(array, scratch).dequantized());
        }
      }
    }
  }

  /** Returns a model of another config that shares the given model's arrays. */
  static SHARNN sharing(SHARNN model, SHARNNConfig variant) {
    checkState(
        model.isInitialized(),
        "a model must be initialized or loaded before it backs off or changes its dropouts");
    SHARNN shared = model.variant(variant).kernels(model.kernels());
    Lifetime.Lease lease = model.leaseOfWeights();
    try (lease) {
      NDArray table = model.embedding.getArray();
      shared.initialize(table.getManager(), table.getDataType(), new Shape(1, 1));
      Map<String, Parameter> weights = SafetensorsWeights.names(model);
      SafetensorsWeights.names(shared)
          .forEach((name, p) -> p.getArray().intern(weights.get(name).getArray().stopGradient()));
    }
    shared.quantized(model.isQuantized());
    if (model.lifetime() != null) {
      shared.beginLifetime(model.lifetime());
    }
    return shared;
  }
}
