package io.github.sharnn.decode;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.Equations;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.engine.kernels.TokenKernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A decoder's step in a {@link TokenKernel}, on the arrays that the step's TorchScript takes. */
record KernelStep(
    SHARNNConfig config, Map<String, NDArray> weights, KeyValueCache cache, TokenKernel kernel) {

  private static final int MOST_CHUNKS = 16;
  private static final int MOST_LAYERS = 20; // their addresses are a parameter of 4 KB

  private static final List<String> OF_LAYER = // in the order of token.cu
      List.of(
          "lnstart.weight",
          "lnstart.bias",
          "lnmem.weight",
          "lnmem.bias",
          "lnmid.weight",
          "lnmid.bias",
          "lnxff.weight",
          "lnxff.bias",
          "lnff.weight",
          "lnff.bias",
          "rnn.weight_ih_l0",
          "rnn.weight_hh_l0",
          TokenScript.GATE_BIAS,
          "attn.q.weight",
          "attn.q.bias",
          "attn.qln.weight",
          "attn.qln.bias",
          "attn.vs",
          "ff.linear1.weight",
          "ff.linear1.bias");

  /** Returns the step, or null if TorchScript shall run. */
  static @Nullable KernelStep of(
      SHARNN model,
      DataType precision,
      DecoderWeights weights,
      KeyValueCache cache,
      NDManager manager,
      int capacity) {
    SHARNNConfig config = model.config();
    TokenKernel.Dimensions dimensions = dimensions(config, precision);
    Kernels kernels =
        Kernels.forDecoder(
            model.kernels(), manager.getDevice(), dimensions, reasonAgainst(config, precision));
    return kernels == null
        ? null
        : new KernelStep(
            config,
            weights.arrays(),
            cache,
            new TokenKernel(kernels, dimensions, manager, capacity));
  }

  private static TokenKernel.Dimensions dimensions(SHARNNConfig config, DataType precision) {
    return new TokenKernel.Dimensions(
        config.embeddingSize(),
        config.boomSize() / config.embeddingSize(),
        config.layers(),
        config.attentionLayers().size(),
        config.vocabularySize(),
        precision,
        Equations.NORM_EPSILON);
  }

  /** Returns which kernels a decoder of the model runs, such as {@code sharnn's}. */
  static String describe(SHARNN model, DataType precision) {
    if (model.kernels() == Kernels.Use.OFF) {
      return "PyTorch's, because kernels are off";
    }
    Device device = model.embedding.getArray().getDevice();
    SHARNNConfig config = model.config();
    String reason =
        Kernels.reasonAgainst(
            device, dimensions(config, precision), reasonAgainst(config, precision));
    return reason.isEmpty() ? "sharnn's" : "PyTorch's, because " + reason;
  }

  /** Returns why the kernel can't compute a model, or "". */
  static String reasonAgainst(SHARNNConfig config, DataType precision) {
    if (precision == DataType.FLOAT64 || precision == DataType.INT8) {
      return "the precision is " + precision.name();
    }
    if (!config.boomShortcut()) {
      return "the Boom has no shortcut";
    }
    if (config.boomSize() / config.embeddingSize() > MOST_CHUNKS) {
      return "the Boom is more than 16 times as large as the embedding";
    }
    if (config.keyProjection() || config.valueProjection()) {
      return "attention projects keys or values";
    }
    if (config.hasSplits()) {
      return "the vocabulary has splits";
    }
    if (!config.droppedAttention().isEmpty()) {
      return "layers have lost their attention";
    }
    if (config.layers() > MOST_LAYERS) {
      return "the model has more than 20 layers";
    }
    return Kernels.reasonAgainst(config.embeddingSize());
  }

  /** Takes up a change of the cache's arrays, of the streams, or of {@code masked}. */
  void view(boolean masked) {
    List<@Nullable NDArray> arrays = new ArrayList<>();
    for (int layer = 0; layer < config.layers(); layer++) {
      for (String name : OF_LAYER) {
        arrays.add(weights.get("blocks." + layer + "." + name));
      }
      arrays.add(cache.states().get(2 * layer));
      arrays.add(cache.states().get(2 * layer + 1));
      arrays.add(cache.arrays().get(TokenScript.KEYS + layer));
    }
    NDArray gates = weights.get(TokenScript.FIRST_GATES);
    arrays.add(gates == null ? weights.get("encoder.weight") : gates);
    arrays.add(weights.get(config.tiedOutput() ? "encoder.weight" : "decoder.weight"));
    arrays.add(weights.get("decoder.bias"));
    NDArray mask = masked ? cache.arrays().get(TokenScript.MASK) : null;
    kernel.bind(arrays, mask, cache.allocatedSlots(), cache.streams());
  }

  /** Returns the logits of each stream after one more token. */
  float[][] next(long... tokens) {
    return kernel.next(tokens, cache.position(), cache.visibleSlots());
  }
}
