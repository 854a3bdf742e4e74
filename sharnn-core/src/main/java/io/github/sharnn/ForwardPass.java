package io.github.sharnn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.core.Embedding;
import ai.djl.training.ParameterStore;
import io.github.sharnn.engine.DropoutMask;
import io.github.sharnn.engine.InferenceMode;
import io.github.sharnn.engine.Inputs;
import io.github.sharnn.engine.kernels.EmbeddingKernel;
import io.github.sharnn.engine.kernels.Kernels;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One segment's way through a {@link SHARNN}: the model's equations over DJL arrays. */
final class ForwardPass implements Equations.Model<NDArray> {

  private final SHARNN model;
  private final ParameterStore parameterStore;
  private final @Nullable NDList labels; // null for none
  private final SHARNNState state;
  private final boolean training;
  private final boolean onlyLast; // whether only the last token's logits are computed
  private final List<SHARNNState.Layer> next = new ArrayList<>();
  private NDArray table; // (V, C)
  private NDArray output; // of the last block so far, (T, B, C)

  ForwardPass(
      SHARNN model,
      ParameterStore parameterStore,
      @Nullable NDList labels,
      SHARNNState state,
      boolean training,
      boolean onlyLast) {
    this.model = model;
    this.parameterStore = parameterStore;
    this.labels = labels;
    this.state = state;
    this.training = training;
    this.onlyLast = onlyLast;
  }

  /** Checks tokens {@code (B, T)} and the state, and runs the segment. */
  SHARNN.Output run(NDArray tokens) {
    Inputs.checkTokens(tokens, model.config().vocabularySize());
    state.check(model.config());
    return training ? compute(tokens) : InferenceMode.call(() -> compute(tokens));
  }

  private SHARNN.Output compute(NDArray tokens) {
    table = parameterStore.getValue(model.embedding, tokens.getDevice(), training);
    NDArray logits = model(model.config(), tokens);
    NDArray batchFirst = output.transpose(1, 0, 2); // (T, B, C) -> (B, T, C)
    return new SHARNN.Output(batchFirst, logits, new SHARNNState(next));
  }

  @Override
  public NDArray embed(NDArray tokens) {
    // time first from here on, for cuDNN's LSTM: transposing in each layer would cost more
    NDArray timeFirst = tokens.transpose(); // (B, T) -> (T, B)
    NDArray h = Embedding.embedding(timeFirst, table, SparseFormat.DENSE).singletonOrThrow();
    Kernels kernels = training ? Kernels.forBlock(model.kernels(), h, true) : null;
    return kernels == null ? h : new EmbeddingKernel(kernels).cut(timeFirst, table, h);
  }

  @Override
  public NDArray block(int layer, NDArray h) {
    try (NDManager dequantized = h.getManager().newSubManager()) {
      ParameterStore weights =
          model.isQuantized() ? model.packed().over(parameterStore, dequantized) : parameterStore;
      SHABlock.Output result =
          model.blocks.get(layer).forward(weights, h, state.layers().get(layer), training);
      next.add(result.state());
      output = result.h();
    }
    return output;
  }

  @Override
  public NDArray logits(NDArray h) {
    NDArray predicting = onlyLast ? h.get(new NDIndex("-1:")) : h; // (T, B, C) -> (1, B, C)
    return model.outputLayer.forward(parameterStore, predicting, table, labels, training);
  }

  @Override
  public NDArray dropout(NDArray x, float rate) {
    return DropoutMask.apply(x, rate, training);
  }
}
