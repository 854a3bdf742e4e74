package io.github.sharnn.decode;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import io.github.sharnn.Equations;
import io.github.sharnn.SHABlock;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.engine.Constants;
import io.github.sharnn.softmax.AdaptiveSoftmax;
import java.util.Map;

/**
 * A model's weights in the order in which {@code token} in {@code operators.py} takes them, with
 * all that is constant over tokens multiplied out. An array without elements stands for what a
 * layer does not have.
 */
final class DecoderWeights {

  private static final int OUTSIDE_LAYERS = 4;
  private static final int PER_LAYER = 25;
  private static final int KEY = 13; // within a layer
  private static final int VALUE = 15;

  private final NDList arrays = new NDList();
  private final Map<String, Parameter> parameters;
  private final NDManager manager;
  private final DataType precision;
  private final AdaptiveSoftmax softmax; // null without splits

  /** Prepares the weights; the manager gets what is made of them. */
  DecoderWeights(SHARNN model, NDManager manager, DataType precision) {
    SHARNNDecoder.checkPrecision(precision);
    this.manager = manager;
    this.precision = precision;
    parameters = SafetensorsWeights.names(model);
    try (NDManager scratch = manager.newSubManager()) {
      SHARNNConfig config = model.config();
      // where that takes no more room, tokens are looked up in what the first LSTM makes of them
      boolean gates = config.vocabularySize() <= config.embeddingSize();
      add(gates ? firstGates(scratch) : get("encoder.weight", manager));
      String output = config.tiedOutput() ? "encoder.weight" : "decoder.weight";
      boolean split = !config.splits().isEmpty();
      softmax = split ? splitSoftmax(config, output) : null;
      add(split ? none() : get(output, manager));
      add(split ? none() : get("decoder.bias", manager));
      int chunks = config.boomShortcut() ? config.boomSize() / config.embeddingSize() : 0;
      add(manager.ones(new Shape(1, 1, chunks)));
      for (int layer = 0; layer < config.layers(); layer++) {
        addLayer("blocks." + layer + ".", model.blocks.get(layer), gates && layer == 0, scratch);
      }
    }
  }

  private AdaptiveSoftmax splitSoftmax(SHARNNConfig config, String output) {
    return new AdaptiveSoftmax(
        config.splits(),
        manager,
        cast(get(output, manager)),
        cast(get("decoder.bias", manager)),
        cast(get("criterion.tail_vectors", manager)),
        cast(get("criterion.tail_bias", manager)));
  }

  /** What becomes of the call's result {@code (B, V)}; with splits it is {@code (B, C)} before. */
  NDArray logits(NDArray output) {
    return softmax == null
        ? output
        : softmax.logProbabilities(output).toType(DataType.FLOAT32, false); // (B, C) -> (B, V)
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

  private NDArray gateBias(String prefix, NDManager scratch) {
    return get(prefix + "rnn.bias_ih_l0", scratch).add(get(prefix + "rnn.bias_hh_l0", scratch));
  }

  private void addLayer(String prefix, SHABlock block, boolean lookedUp, NDManager scratch) {
    addPair(prefix + "lnstart");
    add(lookedUp ? none() : get(prefix + "rnn.weight_ih_l0", manager));
    add(gateBias(prefix, scratch));
    add(prefix + "rnn.weight_hh_l0");
    addPair(prefix + "lnmem");
    addPair(prefix + "lnmid");
    addPair(prefix + "attn.q");
    NDArray queryScale = null;
    NDArray valueScale = null;
    if (block.attention != null) {
      ParameterStore store = new ParameterStore(scratch, false);
      queryScale = block.attention.queryScale(store, scratch, scratch.getDevice(), false);
      valueScale = block.attention.valueScale(store, scratch, scratch.getDevice(), false).flatten();
    }
    addScaled(prefix + "attn.qln.weight", queryScale, scratch);
    addScaled(prefix + "attn.qln.bias", queryScale, scratch);
    addPair(prefix + "attn.k");
    addPair(prefix + "attn.v");
    add(valueScale == null ? none() : valueScale);
    addPair(prefix + "lnxff");
    add(prefix + "lnff.weight");
    NDArray shift = get(prefix + "lnff.bias", scratch);
    // the second linear layer's bias is added to the same sum
    add(block.boom.linear2 == null ? shift : shift.add(get(prefix + "ff.linear2.bias", scratch)));
    NDArray slope = Constants.of((float) Equations.GELU_SLOPE, shift);
    addScaled(prefix + "ff.linear1.weight", slope, scratch);
    addScaled(prefix + "ff.linear1.bias", slope, scratch);
    add(prefix + "ff.linear2.weight");
  }

  /** The arrays in order. */
  NDList arrays() {
    return arrays;
  }

  /** What attention compares queries with, of remembered positions {@code (M, C)}. */
  NDArray key(int layer, NDArray positions) {
    return project(layer, KEY, positions);
  }

  /** What attention sums up, of remembered positions {@code (M, C)}. */
  NDArray value(int layer, NDArray positions) {
    return project(layer, VALUE, positions);
  }

  private NDArray project(int layer, int index, NDArray positions) {
    int at = OUTSIDE_LAYERS + layer * PER_LAYER + index;
    return arrays.get(at).size() == 0
        ? positions
        : Linear.linear(positions, arrays.get(at), arrays.get(at + 1)).singletonOrThrow();
  }

  private void addPair(String name) {
    add(name + ".weight");
    add(name + ".bias");
  }

  private void add(String name) {
    add(parameters.containsKey(name) ? get(name, manager) : none());
  }

  private void addScaled(String name, NDArray scale, NDManager scratch) {
    add(parameters.containsKey(name) ? get(name, scratch).mul(scale) : none());
  }

  private void add(NDArray array) {
    arrays.add(cast(array));
  }

  private NDArray cast(NDArray array) {
    NDArray cast = array.toType(precision, false);
    cast.attach(manager);
    return cast;
  }

  /** On the parameter's own memory, but outside any gradient graph and under no name. */
  private NDArray get(String name, NDManager owner) {
    NDArray alias = parameters.get(name).getArray().stopGradient();
    alias.attach(owner);
    return alias;
  }

  private NDArray none() {
    return manager.zeros(new Shape(0));
  }
}
