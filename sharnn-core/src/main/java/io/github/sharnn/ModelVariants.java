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
import io.github.sharnn.engine.PackedMatrix;
import io.github.sharnn.engine.PackedWeights;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Builders of models with other options from a trained model's weights. */
final class ModelVariants {

  private static final Logger LOGGER = LoggerFactory.getLogger(ModelVariants.class);
  private static final String OF_BLOCK = "blocks.";

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
      SafetensorsWeights.names(model)
          .forEach((name, p) -> weights.put(name, model.packed().value(p, scratch)));
      ParameterStore parameterStore =
          model.packed().over(new ParameterStore(scratch, false), scratch);
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

  /** Rounds the matrices in place to what 8 bits hold, and packs those of the blocks on a CPU. */
  static PackedWeights quantize(SHARNN model) {
    boolean onCpu = !model.embedding.getArray().getDevice().isGpu();
    boolean packs = onCpu && PackedMatrix.reasonAgainst().isEmpty();
    if (onCpu && !packs) {
      LOGGER.warn(
          "A quantized model computes in FLOAT32, because PyTorch has no int8 products here: {}",
          PackedMatrix.reasonAgainst());
    }
    Map<String, Parameter> weights = SafetensorsWeights.names(model);
    weights.forEach( // all, before the first one changes
        (name, parameter) -> {
          if (SafetensorsWeights.isMatrix(parameter.getShape())) {
            Int8Matrix.check(name, parameter.getArray());
          }
        });
    PackedWeights packed = new PackedWeights();
    weights.forEach(
        (name, parameter) -> {
          boolean matrix = SafetensorsWeights.isMatrix(parameter.getShape());
          if (matrix && packs && name.startsWith(OF_BLOCK)) {
            packed.pack(parameter);
          } else if (matrix) {
            round(parameter);
          } else {
            freeSharedMemory(parameter);
          }
        });
    return packed;
  }

  private static void round(Parameter parameter) {
    NDArray array = parameter.getArray();
    try (NDManager scratch = array.getManager().newSubManager()) {
      SafetensorsWeights.assign(parameter, Int8Matrix.of(array, scratch).dequantized());
    }
  }

  /** Gives a parameter memory of its own, since an LSTM's biases keep its matrices in memory. */
  private static void freeSharedMemory(Parameter parameter) {
    NDArray array = parameter.getArray();
    array.setRequiresGradient(false);
    array.intern(array.duplicate());
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
    if (model.isQuantized()) {
      PackedWeights packed = new PackedWeights();
      Map<String, Parameter> weights = SafetensorsWeights.names(model);
      SafetensorsWeights.names(shared)
          .forEach((name, p) -> packed.share(p, model.packed(), weights.get(name)));
      shared.quantized(packed);
    }
    if (model.lifetime() != null) {
      shared.beginLifetime(model.lifetime());
    }
    return shared;
  }
}
