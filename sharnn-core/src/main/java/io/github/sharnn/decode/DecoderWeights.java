package io.github.sharnn.decode;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import io.github.sharnn.Equations;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.SingleHeadAttention;
import io.github.sharnn.engine.Constants;
import io.github.sharnn.engine.Int8Matrix;
import io.github.sharnn.engine.PackedMatrix;
import io.github.sharnn.softmax.AdaptiveSoftmax;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A model's weights under the names of {@link TokenScript}, in the decoder's precision. Products
 * that do not depend on the token are computed once.
 */
final class DecoderWeights {

  private static final Pattern OF_BLOCK = Pattern.compile("(blocks\\.(\\d+)\\.)(.+)");

  private final SHARNN model;
  private final SHARNNConfig config;
  private final Map<String, Parameter> parameters;
  private final NDManager manager;
  private final DataType precision;
  private final Map<String, NDArray> arrays = new LinkedHashMap<>();
  private final List<PackedMatrix> packed = new ArrayList<>(); // in INT8
  private final Set<NDArray> aliases = Collections.newSetFromMap(new IdentityHashMap<>());
  private long bytes; // of arrays and matrices that the model does not hold
  private final AdaptiveSoftmax softmax; // null without splits

  /** Prepares a script's weights; the manager owns the arrays, which get the precision. */
  DecoderWeights(SHARNN model, TokenScript script, NDManager manager, DataType precision) {
    this.model = model;
    this.manager = manager;
    this.precision = precision;
    config = model.config();
    parameters = SafetensorsWeights.names(model);
    try (NDManager scratch = manager.newSubManager()) {
      script.weights().forEach(name -> arrays.put(name, cast(prepare(name, scratch))));
      script.packed().forEach(name -> packed.add(pack(name, scratch)));
      softmax = config.hasSplits() ? adaptiveSoftmax(scratch) : null;
      aliases.clear();
    }
  }

  private AdaptiveSoftmax adaptiveSoftmax(NDManager scratch) {
    return new AdaptiveSoftmax(
        config.splits(),
        manager,
        cast(get(config.tiedOutput() ? "encoder.weight" : "decoder.weight", scratch)),
        cast(get("decoder.bias", scratch)),
        cast(get("criterion.tail_vectors", scratch)),
        cast(get("criterion.tail_bias", scratch)));
  }

  /** Returns the arrays by name, in the step's order. */
  Map<String, NDArray> arrays() {
    return arrays;
  }

  /** Returns the packed matrices, in the step's order. */
  List<PackedMatrix> packed() {
    return packed;
  }

  /** Returns the bytes of the weights that the model does not hold itself. */
  long bytes() {
    return bytes;
  }

  /** Returns the model's packed matrix, or packs one that the manager owns. */
  private PackedMatrix pack(String name, NDManager scratch) {
    PackedMatrix ofModel = model.packed().get(parameters.get(name));
    if (ofModel != null) {
      return ofModel;
    }
    PackedMatrix own = PackedMatrix.of(Int8Matrix.of(get(name, scratch), scratch));
    manager.attachInternal(name, own);
    bytes += own.bytes();
    return own;
  }

  /** Converts the step's output, {@code (B, C)} with splits, to logits {@code (B, V)}. */
  NDArray logits(NDArray output) {
    return softmax == null
        ? output
        : softmax.logProbabilities(output).toType(DataType.FLOAT32, false); // (B, C) -> (B, V)
  }

  /** Computes the keys of remembered positions {@code (M, C)}. */
  NDArray keys(int layer, NDArray positions) {
    return config.keyProjection() ? linear(layer, "attn.k", positions) : positions;
  }

  /** Computes the values of remembered positions {@code (M, C)}. */
  NDArray values(int layer, NDArray positions) {
    return config.valueProjection() ? linear(layer, "attn.v", positions) : positions;
  }

  private NDArray linear(int layer, String name, NDArray x) {
    String prefix = "blocks." + layer + "." + name;
    NDArray weight = arrays.get(prefix + ".weight"); // null if it is packed
    return Linear.linear(
            x,
            weight == null ? values(prefix + ".weight", x.getManager()) : weight,
            arrays.get(prefix + ".bias"))
        .singletonOrThrow();
  }

  private NDArray prepare(String name, NDManager scratch) {
    Matcher block = OF_BLOCK.matcher(name);
    if (block.matches()) {
      int layer = Integer.parseInt(block.group(2));
      return prepare(block.group(1), block.group(3), model.blocks.get(layer).attention, scratch);
    }
    return switch (name) {
      case TokenScript.FIRST_GATES -> firstGates(scratch);
      case TokenScript.ONES ->
          scratch.ones(new Shape(1, 1, config.boomSize() / config.embeddingSize()));
      default -> get(name, scratch);
    };
  }

  /** Prepares a weight of a block. */
  private NDArray prepare(
      String block, String part, SingleHeadAttention attention, NDManager scratch) {
    ParameterStore store = model.packed().over(new ParameterStore(scratch, false), scratch);
    Device device = scratch.getDevice();
    return switch (part) {
      case TokenScript.GATE_BIAS -> gateBias(block, scratch);
      case "attn.qln.weight", "attn.qln.bias" ->
          get(block + part, scratch).mul(attention.queryScale(store, scratch, device, false));
      case "attn.vs" -> attention.valueScale(store, scratch, device, false).flatten();
      case "ff.linear1.weight", "ff.linear1.bias" -> {
        NDArray weight = get(block + part, scratch);
        yield weight.mul(Constants.of((float) Equations.GELU_SLOPE, weight));
      }
      case "lnff.bias" -> { // boom2 in step.py adds the residual instead of linear2's bias, so lnff
        // adds that bias
        NDArray bias = get(block + part, scratch);
        yield config.boomShortcut() ? bias : bias.add(get(block + "ff.linear2.bias", scratch));
      }
      default -> get(block + part, scratch);
    };
  }

  /** {@code W_ih LN_start(embedding) + b} of the first layer for each token: {@code (V, 4C)}. */
  private NDArray firstGates(NDManager scratch) {
    NDArray table = get("encoder.weight", scratch);
    NDArray normed =
        LayerNorm.layerNorm(
                table,
                new Shape(table.size(1)),
                get("blocks.0.lnstart.weight", scratch),
                get("blocks.0.lnstart.bias", scratch),
                (float) Equations.NORM_EPSILON)
            .singletonOrThrow();
    NDArray weight = get("blocks.0.rnn.weight_ih_l0", scratch);
    return Linear.linear(normed, weight, gateBias("blocks.0.", scratch)).singletonOrThrow();
  }

  private NDArray gateBias(String block, NDManager scratch) {
    return get(block + "rnn.bias_ih_l0", scratch).add(get(block + "rnn.bias_hh_l0", scratch));
  }

  private NDArray cast(NDArray array) {
    NDArray cast = array.toType(precision, false);
    cast.attach(manager);
    if (!aliases.contains(array) || array.getDataType() != precision) {
      bytes += cast.size() * precision.getNumOfBytes();
    }
    return cast;
  }

  /** Returns a parameter's values, outside any gradient graph and without a name. */
  private NDArray get(String name, NDManager scratch) {
    NDArray values = values(name, scratch);
    if (model.packed().get(parameters.get(name)) == null) {
      aliases.add(values);
    }
    return values;
  }

  private NDArray values(String name, NDManager owner) {
    return model.packed().value(parameters.get(name), owner);
  }
}
