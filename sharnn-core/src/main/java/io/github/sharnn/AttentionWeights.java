package io.github.sharnn;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Interrupts;
import java.util.ArrayList;
import java.util.List;

/**
 * The attention weights of one layer while a model reads a text.
 *
 * <pre>{@code
 * for (AttentionWeights layer : AttentionWeights.of(model, "The old man".getBytes(UTF_8))) {
 *   float toTheFirstByteFromTheThird = layer.weights()[2][0];
 * }
 * }</pre>
 *
 * @param layer the 0-based layer
 * @param weights {@code (T, T)}: row t is token t's softmax over itself and earlier tokens and sums
 *     to 1; entries of later and of forgotten tokens are 0
 */
public record AttentionWeights(int layer, float[][] weights) {

  /**
   * Reads a text from a zero state, token by token as in generation, without dropout.
   *
   * @param model a model with a {@link SHARNN}
   * @param text at least one token
   * @return the weights of each layer with attention, in order
   * @throws IllegalArgumentException if the text has no token, or a byte outside the model's
   *     vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public static List<AttentionWeights> of(Model model, byte[] text) {
    Lifetime lifetime = SHARNN.lifetime(model);
    Lifetime.Lease lease = lifetime.lease();
    try (lease;
        NDManager manager = lifetime.manager().newSubManager()) {
      SHARNN block = SHARNN.initialized(model);
      int[] tokens = new TextModel(model).encode("text", text);
      List<AttentionWeights> layers = new ArrayList<>();
      for (int layer : block.config().attentionLayers()) {
        layers.add(new AttentionWeights(layer, new float[tokens.length][tokens.length]));
      }
      ParameterStore parameterStore =
          block.packed().over(new ParameterStore(manager, false), manager);
      SHARNNState state = block.zeroState(manager, 1);
      for (int t = 0; t < tokens.length; t++) {
        Interrupts.check();
        try (NDManager step = manager.newSubManager()) {
          state.attach(step); // results belong to their first operand's manager
          long[] token = {tokens[t]};
          SHARNNState next =
              block
                  .forward(parameterStore, step.create(token, new Shape(1, 1)), state, false)
                  .state();
          for (AttentionWeights each : layers) {
            float[] row =
                row(parameterStore, block.blocks.get(each.layer), next.layers().get(each.layer));
            System.arraycopy(row, 0, each.weights[t], t + 1 - row.length, row.length);
          }
          state = next.detach().attach(manager);
        }
      }
      return layers;
    }
  }

  /**
   * Computes the weights of a segment's last token from the state after it: the LSTM's last output
   * gives the query, and the memory ends with the token's own position.
   */
  private static float[] row(
      ParameterStore parameterStore, SHABlock block, SHARNNState.Layer state) {
    if (state.memory().length() == 0) { // the token sees only itself
      return new float[] {1};
    }
    SingleHeadAttention attention = block.attention;
    NDArray h = state.hidden().expandDims(1); // (1, C) -> (1, 1, C)
    NDArray normed = block.norms.get("lnmid").forward(parameterStore, new NDList(h), false).head();
    NDArray q = attention.query(parameterStore, normed, false); // (1, 1, C)
    List<NDArray> m = List.of(state.memory().positions()); // (1, M, C)
    NDArray weights = attention.weights(q, attention.keys(parameterStore, m, false)); // (1, 1, M)
    return weights.toType(DataType.FLOAT32, false).toFloatArray();
  }
}
