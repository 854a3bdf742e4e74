package io.github.sharnn;

import java.util.List;

/**
 * The model's equations, written once for every backend: DJL arrays ({@link SHARNN}, {@link
 * SHABlock}), ONNX nodes and the decoder's TorchScript. A backend implements the operations over
 * its own kind of array {@code A}. Each backend optimizes its operations itself.
 *
 * <p>The names of the norms are those in {@link Weight}.
 */
public final class Equations {

  /** The epsilon of all layer norms. */
  public static final double NORM_EPSILON = 1e-12;

  /** The slope in the Boom's {@code gelu(x) = x * sigmoid(1.702 x)}. */
  public static final double GELU_SLOPE = 1.702;

  private Equations() {}

  /**
   * The whole model: embedding, blocks, logits.
   *
   * @param <A> the backend's array
   */
  public interface Model<A> {

    /**
     * Looks up embeddings.
     *
     * @param tokens the tokens of a segment
     * @return their embeddings
     */
    A embed(A tokens);

    /**
     * Runs one block, usually by {@link Block#block}.
     *
     * @param layer the 0-based layer
     * @param h the activations before the block
     * @return the activations after the block
     */
    A block(int layer, A h);

    /**
     * Computes logits, or log-probabilities with splits.
     *
     * @param h the last block's activations after dropout
     * @return the model's output
     */
    A logits(A h);

    /**
     * Applies dropout in training. This default applies none.
     *
     * @param x any activations
     * @param rate the dropout rate, in [0, 1)
     * @return x after dropout
     */
    default A dropout(A x, float rate) {
      return x;
    }

    /**
     * Runs the model.
     *
     * @param config the model's config
     * @param tokens the tokens of a segment
     * @return the result of {@link #logits}
     */
    default A model(SHARNNConfig config, A tokens) {
      A h = dropout(embed(tokens), config.inputDropout());
      for (int layer = 0; layer < config.layers(); layer++) {
        h = block(layer, h);
      }
      return logits(dropout(h, config.outputDropout()));
    }
  }

  /**
   * One block: LSTM, attention if the block has it, Boom.
   *
   * @param <A> the backend's array
   */
  public interface Block<A> {

    /**
     * Applies a layer norm.
     *
     * @param name the norm's name in the block, such as {@code lnstart}
     * @param x any activations
     * @return x, normalized over its last axis
     */
    A norm(String name, A x);

    /**
     * Applies two layer norms to one array. This default applies one after the other.
     *
     * @param x any activations
     * @param first the first norm's name in the block
     * @param second the second norm's name
     * @return the two results, in this order
     */
    default List<A> norms(A x, String first, String second) {
      return List.of(norm(first, x), norm(second, x));
    }

    /**
     * Runs the LSTM from the current state and stores the next state.
     *
     * @param x the input of each step
     * @return the output of each step
     */
    A lstm(A x);

    /**
     * Computes the queries, multiplied by the keys' gate and {@code 1 / sqrt(C)}.
     *
     * @param h the activations after {@code lnmid}
     * @return the queries
     */
    A query(A h);

    /**
     * Attends to the memory followed by {@code m} and stores the next memory.
     *
     * @param query the result of {@link #query}
     * @param m the segment's activations after {@code lnmem}
     * @return the attention's output
     */
    A attend(A query, A m);

    /**
     * Runs the Boom.
     *
     * @param x the activations after {@code lnxff}
     * @return the Boom's output
     */
    A boom(A x);

    /**
     * Adds a residual.
     *
     * @param x any activations
     * @param residual activations of the same shape
     * @return the sum
     */
    A add(A x, A residual);

    /**
     * Applies dropout in training, with the model's {@code hiddenDropout}. This default applies
     * none.
     *
     * @param x any activations
     * @return x after dropout
     */
    default A dropout(A x) {
      return x;
    }

    /**
     * Runs the block.
     *
     * @param config the model's config
     * @param layer the 0-based layer
     * @param h the activations before the block
     * @return the activations after the block
     */
    default A block(SHARNNConfig config, int layer, A h) {
      h = dropout(lstm(norm("lnstart", h)));
      if (config.hasAttention(layer)) {
        List<A> normed = norms(h, "lnmem", "lnmid");
        A m = normed.get(0);
        h = normed.get(1);
        h = add(dropout(attend(query(h), m)), h);
      } else if (config.droppedAttention().contains(layer)) {
        h = norm("lnmid", h);
      }
      List<A> normed = norms(h, "lnxff", "lnff");
      return add(dropout(boom(normed.get(0))), normed.get(1));
    }
  }
}
