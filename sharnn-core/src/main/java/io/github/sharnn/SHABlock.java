package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.github.sharnn.engine.DropoutMask;
import io.github.sharnn.engine.Initializers;
import io.github.sharnn.engine.Inputs;
import io.github.sharnn.engine.WeightDrop;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.engine.kernels.LstmLayer;
import io.github.sharnn.engine.kernels.NormKernel;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * One block of the model: LSTM, attention if the block has it, Boom.
 *
 * <pre>{@code
 * h = dropout(LSTM(LN_start(h)))
 * with attention:  m = LN_mem(h);  h = LN_mid(h);  k = concat(memory, m)
 *                  h = dropout(Attention(h, k, k)) + h
 * h = dropout(Boom(LN_xff(h))) + LN_ff(h)
 * }</pre>
 *
 * <p>If attention is dropped after training, the block keeps {@code LN_mid}, because later layers
 * were trained on its output. There is no residual around the LSTM. The memory stores m with its
 * gradient. Before a segment of T steps the memory is cut to its last {@code memoryLength - T}
 * positions.
 *
 * <p>Paper: arXiv:1911.11423.
 *
 * <ul>
 *   <li>Inputs: {@code [h]}, from a zero state, or {@code [h, hidden, cell]} and, with attention,
 *       {@code memory}: h {@code (B, T, C)}, hidden and cell {@code (B, C)}, memory {@code (B, M,
 *       C)}
 *   <li>Outputs: {@code [h]}, or, as the inputs, {@code [h, hidden, cell]} and, with attention,
 *       {@code memory}
 *   <li>Parameters: those of DJL's {@link LSTM} (PyTorch gate order i, f, g, o; uniform in
 *       +-1/sqrt(C)), of the layer norms, {@link SingleHeadAttention} and {@link Boom}
 * </ul>
 */
public final class SHABlock extends AbstractBlock {

  final LSTM lstm;
  final Map<String, LayerNorm> norms = new HashMap<>(); // by name, as in Weight

  /** The attention, or null in a block without attention. */
  public final SingleHeadAttention attention;

  final Boom boom;
  private final SHARNNConfig config;
  private final int layer;
  private Kernels.Use kernels = Kernels.Use.AUTO;

  private SHABlock(SHARNNConfig config, int layer) {
    this.config = config;
    this.layer = layer;
    int size = config.embeddingSize();
    addNorm("lnstart");
    lstm =
        addChildBlock(
            "rnn",
            LSTM.builder()
                .setStateSize(size)
                .setNumLayers(1)
                .optBatchFirst(false)
                .optReturnState(true)
                .build());
    Initializers.lstm(lstm, size);
    if (config.hasAttention(layer)) {
      addNorm("lnmem");
      addNorm("lnmid");
      attention = addChildBlock("attn", SingleHeadAttention.of(config));
    } else {
      if (config.droppedAttention().contains(layer)) {
        addNorm("lnmid");
      }
      attention = null;
    }
    addNorm("lnxff");
    addNorm("lnff");
    boom = addChildBlock("ff", Boom.of(config));
  }

  private void addNorm(String name) {
    norms.put(name, addChildBlock(name, layerNorm()));
  }

  /**
   * {@return the block of one layer, uninitialized}
   *
   * @param config sizes and options
   * @param layer the 0-based layer
   * @throws IllegalArgumentException if the config has no such layer
   */
  public static SHABlock of(SHARNNConfig config, int layer) {
    checkArgument(
        layer >= 0 && layer < config.layers(),
        "layer must lie between 0 and layers - 1 (%s), but is %s",
        config.layers() - 1,
        layer);
    return new SHABlock(config, layer);
  }

  /** Sets whether this block uses kernels of this library's own. */
  void kernels(Kernels.Use use) {
    kernels = use;
    boom.kernels(use);
  }

  /** A block's output: activations {@code (T, B, C)} and the state after them. */
  record Output(NDArray h, SHARNNState.Layer state) {}

  /** Runs one segment, time first as cuDNN's LSTM wants it: h {@code (T, B, C)}. */
  Output forward(
      ParameterStore parameterStore, NDArray h, SHARNNState.Layer state, boolean training) {
    // PyTorch's LSTM does not check the size of the state and would read past its end
    state.check(h.size(1), config.embeddingSize(), h.getDataType());
    NDManager manager = h.getManager();
    // closes the handles on intermediate arrays; the gradient graph keeps the arrays that backward
    // needs
    try (NDManager scratch = manager.newSubManager()) {
      h.tempAttach(scratch);
      Segment segment = new Segment(parameterStore, state, training);
      NDArray output = segment.block(config, layer, h);
      output.attach(manager);
      SHARNNState.Layer next =
          new SHARNNState.Layer(segment.nextHidden, segment.nextCell, segment.nextMemory);
      next.toNDList().attach(manager);
      return new Output(output, next);
    }
  }

  /** The equations of one segment over DJL arrays {@code (T, B, C)}. */
  private final class Segment implements Equations.Block<NDArray> {

    private final ParameterStore parameterStore;
    private final SHARNNState.Layer state;
    private final boolean training;
    private NDArray nextHidden;
    private NDArray nextCell;
    private AttentionMemory nextMemory;

    Segment(ParameterStore parameterStore, SHARNNState.Layer state, boolean training) {
      this.parameterStore = parameterStore;
      this.state = state;
      this.training = training;
    }

    @Override
    public NDArray norm(String name, NDArray x) {
      Kernels found = Kernels.forBlock(kernels, x, training);
      return found == null
          ? apply(norms.get(name), parameterStore, x, training)
          : norms(found, x, name).get(0);
    }

    @Override
    public List<NDArray> norms(NDArray x, String first, String second) {
      Kernels found = Kernels.forBlock(kernels, x, training);
      return found == null
          ? List.of(norm(first, x), norm(second, x))
          : norms(found, x, first, second);
    }

    private List<NDArray> norms(Kernels found, NDArray x, String... names) {
      List<LayerNorm> blocks = Stream.of(names).map(norms::get).toList();
      return new NormKernel(found, Equations.NORM_EPSILON)
          .forward(x, blocks, parameterStore, training);
    }

    @Override
    public NDArray lstm(NDArray x) {
      Kernels found = Kernels.forBlock(kernels, x, training);
      if (found == null) {
        return stockLstm(x);
      }
      LstmLayer layer = new LstmLayer(found, lstm, config.weightDrop(), parameterStore, training);
      LstmLayer.Output result = layer.forward(x, state.hidden(), state.cell());
      nextHidden = result.hidden();
      nextCell = result.cell();
      return result.output();
    }

    private NDArray stockLstm(NDArray x) {
      NDManager manager = x.getManager();
      NDArray h0 = state.hidden().expandDims(0); // (B, C) -> (1, B, C)
      NDArray c0 = state.cell().expandDims(0); // (B, C) -> (1, B, C)
      // a result belongs to its first operand's manager, and the state outlives the batch
      h0.attach(manager);
      c0.attach(manager);
      ParameterStore weights =
          WeightDrop.of(parameterStore, lstm, config.weightDrop(), training, manager);
      // DJL's LSTM would append missing states to its input list, so pass all three arrays
      NDList outputs = lstm.forward(weights, new NDList(x, h0, c0), training);
      nextHidden = outputs.get(1).squeeze(0); // (1, B, C) -> (B, C)
      nextCell = outputs.get(2).squeeze(0); // (1, B, C) -> (B, C)
      return outputs.get(0);
    }

    @Override
    public NDArray query(NDArray h) {
      return attention.query(parameterStore, h, training);
    }

    @Override
    public NDArray attend(NDArray query, NDArray m) {
      NDArray newest = swap(m); // (T, B, C) -> (B, T, C)
      int kept = config.memoryLength() - Math.toIntExact(newest.size(1));
      try (AttentionMemory recent = state.memory().last(kept)) {
        List<NDArray> keys = recent.alignedWith(newest);
        NDArray q = swap(query); // (T, B, C) -> (B, T, C)
        NDArray context = attention.attend(parameterStore, q, keys, keys, training);
        nextMemory = recent.append(newest).last(config.memoryLength()); // -> (B, M+T, C)
        return swap(context); // (B, T, C) -> (T, B, C)
      }
    }

    @Override
    public NDArray boom(NDArray x) {
      return apply(boom, parameterStore, x, training);
    }

    @Override
    public NDArray add(NDArray x, NDArray residual) {
      return x.add(residual);
    }

    @Override
    public NDArray dropout(NDArray x) {
      return DropoutMask.apply(x, config.hiddenDropout(), training);
    }
  }

  /** Time first to batch first, and back. */
  private static NDArray swap(NDArray array) {
    return array.transpose(1, 0, 2);
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    Inputs.checkActivations("SHABlock", inputs.getShapes(), config.embeddingSize());
    NDArray h = inputs.get(0);
    int stateSize = attention == null ? 2 : 3;
    checkArgument(
        inputs.size() == 1 || inputs.size() == 1 + stateSize,
        "this SHABlock takes [h] or %s arrays (h, hidden, cell%s), but was given %s",
        1 + stateSize,
        attention == null ? "" : ", memory",
        inputs.size());
    boolean stateless = inputs.size() == 1;
    Shape cell = new Shape(h.size(0), config.embeddingSize());
    SHARNNState.Layer state =
        stateless
            ? SHARNNState.Layer.zeros(h.getManager(), cell, h.getDataType(), attention != null)
            : SHARNNState.Layer.fromNDList(inputs.subNDList(1));
    Output output = forward(parameterStore, swap(h), state, training); // (B, T, C) -> (T, B, C)
    NDList outputs = new NDList(swap(output.h())); // (T, B, C) -> (B, T, C)
    if (!stateless) {
      outputs.addAll(output.state().toNDList());
    }
    return outputs;
  }

  private static NDArray apply(
      Block block, ParameterStore parameterStore, NDArray input, boolean training) {
    return block.forward(parameterStore, new NDList(input), training).singletonOrThrow();
  }

  /** Normalizes over the last axis: without {@code axis(2)} DJL would normalize over (T, C). */
  static LayerNorm layerNorm() {
    return LayerNorm.builder().axis(2).optEpsilon((float) Equations.NORM_EPSILON).build();
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    Shape[] outputShapes = inputShapes.clone();
    if (attention != null && inputShapes.length > 1) {
      long positions = inputShapes[3].get(1) + inputShapes[0].get(1);
      outputShapes[3] =
          new Shape(
              inputShapes[3].get(0),
              Math.min(positions, config.memoryLength()),
              config.embeddingSize());
    }
    return outputShapes;
  }

  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    Inputs.checkActivations("SHABlock", inputShapes, config.embeddingSize());
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    // Trainer.initialize initializes again, and the weights must not move
    boolean again = lstm.isInitialized();
    for (Block child : getChildren().values()) {
      child.initialize(manager, dataType, inputShapes[0]);
    }
    if (!again) {
      Initializers.shareMemory(lstm, manager);
    }
  }
}
