package io.github.sharnn;

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

    /** Looks up the embeddings of tokens. */
    A embed(A tokens);

    /** Runs one block, usually by {@link Block#block}. Layers are counted from 0. */
    A block(int layer, A h);

    /** Computes logits, or log-probabilities with splits. */
    A logits(A h);

    /** Applies dropout in training. */
    default A dropout(A x, float rate) {
      return x;
    }

    /** The model. */
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

    /** Applies the layer norm of that name. */
    A norm(String name, A x);

    /** Runs the LSTM from the current state and stores the next state. */
    A lstm(A x);

    /** Computes the queries, multiplied by the keys' gate and {@code 1 / sqrt(C)}. */
    A query(A h);

    /** Attends to the memory followed by {@code m} and stores the next memory. */
    A attend(A query, A m);

    /** Runs the Boom. */
    A boom(A x);

    /** Adds a residual. */
    A add(A x, A residual);

    /** Applies dropout in training. */
    default A dropout(A x) {
      return x;
    }

    /** The block. */
    default A block(SHARNNConfig config, int layer, A h) {
      h = dropout(lstm(norm("lnstart", h)));
      if (config.hasAttention(layer)) {
        A m = norm("lnmem", h);
        h = norm("lnmid", h);
        h = add(dropout(attend(query(h), m)), h);
      } else if (config.droppedAttention().contains(layer)) {
        h = norm("lnmid", h);
      }
      A x = norm("lnxff", h);
      h = norm("lnff", h);
      return add(dropout(boom(x)), h);
    }
  }
}
