package io.github.sharnn.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.github.sharnn.AttentionMemory;
import io.github.sharnn.SHARNNState;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Recurrent states as named tensors: {@code SLICE.LAYER.hidden} and {@code .cell (B, C)}, and
 * {@code .memory (M, B, C)}, left out while it is empty.
 */
final class RecurrentTensors {

  private RecurrentTensors() {}

  /** Copies the states of each slice to the host. */
  static NDList copy(SHARNNState[] states, NDManager host) {
    NDList copies = new NDList();
    for (int slice = 0; slice < states.length; slice++) {
      List<SHARNNState.Layer> layers = states[slice].layers();
      for (int i = 0; i < layers.size(); i++) {
        SHARNNState.Layer layer = layers.get(i);
        String prefix = slice + "." + i + ".";
        add(copies, prefix + "hidden", layer.hidden(), host);
        add(copies, prefix + "cell", layer.cell(), host);
        if (layer.memory() != null && layer.memory().length() > 0) {
          // time first, as it lies in memory
          try (NDArray positions = layer.memory().positions().transpose(1, 0, 2)) {
            add(copies, prefix + "memory", positions, host);
          }
        }
      }
    }
    return copies;
  }

  private static void add(NDList copies, String name, NDArray array, NDManager host) {
    NDArray copy = BestWeights.copyToHost(array);
    copy.attach(host);
    copy.setName(name);
    copies.add(copy);
  }

  /**
   * Makes states of tensors.
   *
   * @param zeros states to take the place of, of the same model and number of slices; closed
   * @throws DamagedCheckpointException if names or shapes are not theirs
   */
  static SHARNNState[] read(Map<String, NDArray> tensors, SHARNNState[] zeros)
      throws DamagedCheckpointException {
    SHARNNState[] states = new SHARNNState[zeros.length];
    for (int slice = 0; slice < zeros.length; slice++) {
      List<SHARNNState.Layer> layers = new ArrayList<>();
      for (int i = 0; i < zeros[slice].layers().size(); i++) {
        SHARNNState.Layer zero = zeros[slice].layers().get(i);
        String prefix = slice + "." + i + ".";
        layers.add(
            new SHARNNState.Layer(
                like(zero.hidden(), prefix + "hidden", tensors),
                like(zero.cell(), prefix + "cell", tensors),
                memory(zero.memory(), tensors.get(prefix + "memory"), prefix)));
      }
      states[slice] = new SHARNNState(layers);
      zeros[slice].close();
    }
    return states;
  }

  private static NDArray like(NDArray zero, String name, Map<String, NDArray> tensors)
      throws DamagedCheckpointException {
    NDArray tensor = tensors.get(name);
    if (tensor == null || !tensor.getShape().equals(zero.getShape())) {
      throw new DamagedCheckpointException(
          "the recurrent state has no %s of shape %s".formatted(name, zero.getShape()), null);
    }
    return typed(tensor, zero);
  }

  private static AttentionMemory memory(AttentionMemory zero, NDArray tensor, String prefix)
      throws DamagedCheckpointException {
    if (zero == null) {
      return null;
    }
    NDArray empty = zero.positions(); // (B, 0, C)
    if (tensor == null) {
      return new AttentionMemory(empty.duplicate());
    }
    if (tensor.getShape().dimension() != 3
        || tensor.size(1) != empty.size(0)
        || tensor.size(2) != empty.size(2)) {
      throw new DamagedCheckpointException(
          "the memory %smemory has the shape %s".formatted(prefix, tensor.getShape()), null);
    }
    try (NDArray typed = typed(tensor, empty)) {
      return new AttentionMemory(typed.transpose(1, 0, 2)); // (M, B, C) -> (B, M, C)
    }
  }

  /** A copy in the engine's own memory, of the type and the manager of another array. */
  private static NDArray typed(NDArray tensor, NDArray like) {
    NDArray copy = tensor.toType(like.getDataType(), true);
    copy.attach(like.getManager());
    return copy;
  }
}
