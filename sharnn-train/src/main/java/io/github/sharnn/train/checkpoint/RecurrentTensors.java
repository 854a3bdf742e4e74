package io.github.sharnn.train.checkpoint;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.AttentionMemory;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.io.Safetensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Recurrent states as named tensors: {@code SLICE.LAYER.hidden} and {@code .cell (B, C)}, and
 * {@code .memory (M, B, C)} unless it is empty.
 */
public final class RecurrentTensors {

  private RecurrentTensors() {}

  /**
   * {@return copies on the host of the states of each slice}
   *
   * @param states the state of each slice
   * @param host the owner of the copies
   */
  public static Map<String, NDArray> copy(SHARNNState[] states, NDManager host) {
    Map<String, NDArray> copies = new LinkedHashMap<>();
    for (int slice = 0; slice < states.length; slice++) {
      List<SHARNNState.Layer> layers = states[slice].layers();
      for (int i = 0; i < layers.size(); i++) {
        SHARNNState.Layer layer = layers.get(i);
        String prefix = slice + "." + i + ".";
        copies.put(prefix + "hidden", HostCopy.of(layer.hidden(), host));
        copies.put(prefix + "cell", HostCopy.of(layer.cell(), host));
        if (layer.memory() != null && layer.memory().length() > 0) {
          // time-first, the order in which the positions are stored
          try (NDArray positions = layer.memory().positions().transpose(1, 0, 2)) {
            copies.put(prefix + "memory", HostCopy.of(positions, host));
          }
        }
      }
    }
    return copies;
  }

  /**
   * Rejects arrays whose names, shapes or types differ from {@code slices} states of a model.
   *
   * @param tensors the header of a file of states
   * @param config the sizes of the model
   * @param slices number of states
   * @param streams B, the streams of a slice
   * @throws MalformedModelException if an array is missing, unknown or of another shape or type
   */
  public static void check(
      Map<String, Safetensors.Tensor> tensors, SHARNNConfig config, int slices, int streams)
      throws MalformedModelException {
    Shape shape = new Shape(streams, config.embeddingSize());
    int known = 0;
    for (int slice = 0; slice < slices; slice++) {
      for (int layer = 0; layer < config.layers(); layer++) {
        String prefix = slice + "." + layer + ".";
        for (String name : List.of(prefix + "hidden", prefix + "cell")) {
          // stops at the first missing array, so a huge number of slices does no harm
          checkTensor(name, tensors.get(name), shape);
          known++;
        }
        Safetensors.Tensor memory = tensors.get(prefix + "memory");
        if (memory != null && config.hasAttention(layer)) {
          long length = memory.shape().dimension() == 0 ? 0 : memory.shape().get(0);
          checkTensor(
              prefix + "memory", memory, new Shape(length, streams, config.embeddingSize()));
          checkState(length <= config.memoryLength(), "%smemory has %s positions", prefix, length);
          known++;
        }
      }
    }
    checkState(known == tensors.size(), "it has more arrays than the %s of the state", known);
  }

  private static void checkTensor(String name, Safetensors.Tensor tensor, Shape shape)
      throws MalformedModelException {
    checkState(
        tensor != null && tensor.shape().equals(shape) && tensor.dataType().isFloating(),
        "it has no floating %s of shape %s",
        name,
        shape);
  }

  private static void checkState(boolean rule, String message, Object... arguments)
      throws MalformedModelException {
    if (!rule) {
      throw new MalformedModelException(
          "the recurrent state: " + String.format(Locale.ROOT, message, arguments));
    }
  }

  /**
   * {@return the states of each slice, in the types and managers of {@code zeros}}
   *
   * @param tensors arrays that {@link #check} has accepted
   * @param zeros empty states of the same sizes, which this method closes
   */
  public static SHARNNState[] read(Map<String, NDArray> tensors, SHARNNState[] zeros) {
    SHARNNState[] states = new SHARNNState[zeros.length];
    for (int slice = 0; slice < zeros.length; slice++) {
      List<SHARNNState.Layer> layers = new ArrayList<>();
      for (int i = 0; i < zeros[slice].layers().size(); i++) {
        SHARNNState.Layer zero = zeros[slice].layers().get(i);
        String prefix = slice + "." + i + ".";
        layers.add(
            new SHARNNState.Layer(
                typed(tensors.get(prefix + "hidden"), zero.hidden()),
                typed(tensors.get(prefix + "cell"), zero.cell()),
                memory(tensors.get(prefix + "memory"), zero.memory())));
      }
      states[slice] = new SHARNNState(layers);
      zeros[slice].close();
    }
    return states;
  }

  private static AttentionMemory memory(NDArray tensor, AttentionMemory zero) {
    if (zero == null) {
      return null;
    }
    NDArray empty = zero.positions(); // (B, 0, C)
    if (tensor == null) {
      return new AttentionMemory(empty.duplicate());
    }
    try (NDArray typed = typed(tensor, empty)) {
      return new AttentionMemory(typed.transpose(1, 0, 2)); // (M, B, C) -> (B, M, C)
    }
  }

  /** Copies a tensor to the type and the manager of another array. */
  private static NDArray typed(NDArray tensor, NDArray like) {
    NDArray copy = tensor.toType(like.getDataType(), true);
    copy.attach(like.getManager());
    return copy;
  }
}
