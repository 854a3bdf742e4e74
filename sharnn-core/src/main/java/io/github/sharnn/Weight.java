package io.github.sharnn;

import ai.djl.ndarray.types.Shape;
import com.google.common.math.LongMath;
import java.util.ArrayList;
import java.util.List;

/**
 * A weight of a model: its name in a {@code safetensors} file, as the reference names it, its shape
 * and its group. {@link #of} is the only list of a model's weights. Names in files, parameter
 * counts, the decoder and the ONNX graph all use it.
 *
 * @param name the name, such as {@code blocks.0.lnstart.weight}
 * @param shape the shape
 * @param group the group that an optimizer counts it to
 */
public record Weight(String name, Shape shape, Group group) {

  /** The groups of weights that optimizers treat differently. */
  public enum Group {
    /** A hidden matrix: it maps activations to activations. */
    MATRIX,
    /** A matrix with a row for each token or cluster: the embedding and the output layer. */
    EMBEDDING,
    /** A norm, a bias or a gate. */
    OTHER
  }

  /**
   * {@return a model's weights, in the order in which the blocks declare their parameters}
   *
   * @param config the model's config
   */
  public static List<Weight> of(SHARNNConfig config) {
    long size = config.embeddingSize();
    long vocabulary = config.vocabularySize();
    Listing model = new Listing("", size, new ArrayList<>());
    model.add("encoder.weight", vocabulary, size);
    if (!config.tiedOutput()) {
      model.add("decoder.weight", vocabulary, size);
    }
    model.add("decoder.bias", vocabulary);
    if (config.hasSplits()) {
      model.add("criterion.tail_vectors", config.splits().size(), size);
      model.add("criterion.tail_bias", config.splits().size());
    }
    for (int layer = 0; layer < config.layers(); layer++) {
      addBlock(new Listing("blocks." + layer + ".", size, model.weights), config, layer);
    }
    return model.weights;
  }

  private static void addBlock(Listing block, SHARNNConfig config, int layer) {
    long size = config.embeddingSize();
    block.addNorm("lnstart");
    block.add("rnn.weight_ih_l0", 4 * size, size);
    block.add("rnn.weight_hh_l0", 4 * size, size);
    block.add("rnn.bias_ih_l0", 4 * size);
    block.add("rnn.bias_hh_l0", 4 * size);
    if (config.hasAttention(layer)) {
      block.addNorm("lnmem");
      block.addNorm("lnmid");
      block.add("attn.qs", 1, 1, size);
      block.add("attn.ks", 1, 1, size);
      block.add("attn.vs", 1, 1, size);
      block.addLinear("attn.q", size, size);
      block.addNorm("attn.qln");
      if (config.keyProjection()) {
        block.addLinear("attn.k", size, size);
      }
      if (config.valueProjection()) {
        block.addLinear("attn.v", size, size);
      }
      if (!config.collapsed()) {
        block.addLinear("attn.vq.l1", size, 2 * size);
      }
    } else if (config.droppedAttention().contains(layer)) {
      block.addNorm("lnmid");
    }
    block.addNorm("lnxff");
    block.addNorm("lnff");
    block.addLinear("ff.linear1", size, config.boomSize());
    if (!config.boomShortcut()) {
      block.addLinear("ff.linear2", config.boomSize(), size);
    }
  }

  /** Returns the number of elements, at most {@code Long.MAX_VALUE}. */
  long count() {
    long count = 1;
    for (long dimension : shape.getShape()) {
      count = LongMath.saturatedMultiply(count, dimension);
    }
    return count;
  }

  /** A list to which weights with a common name prefix are added. */
  private record Listing(String prefix, long size, List<Weight> weights) {

    void add(String name, long... dimensions) {
      Group group =
          dimensions.length != 2 ? Group.OTHER : prefix.isEmpty() ? Group.EMBEDDING : Group.MATRIX;
      weights.add(new Weight(prefix + name, new Shape(dimensions), group));
    }

    void addNorm(String name) {
      add(name + ".weight", size);
      add(name + ".bias", size);
    }

    void addLinear(String name, long in, long out) {
      add(name + ".weight", out, in);
      add(name + ".bias", out);
    }
  }
}
