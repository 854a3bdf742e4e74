package io.github.sharnn.train;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.Map;

/** A copy of a block's weights in the host's memory, taken whenever validation has improved. */
final class BestWeights implements AutoCloseable {

  private final Block block;
  private final NDManager manager;
  private final Map<String, NDArray> copies = new LinkedHashMap<>();
  private double bpc = Double.POSITIVE_INFINITY;

  BestWeights(Block block, NDManager parent) {
    this.block = block;
    this.manager = parent.newSubManager(Device.cpu());
  }

  /** Copies the weights if {@code validationBpc} is the lowest so far; returns whether it is. */
  boolean offer(double validationBpc) {
    if (validationBpc >= bpc) {
      return false;
    }
    bpc = validationBpc;
    for (var pair : block.getParameters()) {
      NDArray copy = copyToHost(pair.getValue().getArray());
      copy.attach(manager);
      NDArray previous = copies.put(pair.getKey(), copy);
      if (previous != null) {
        previous.close();
      }
    }
    return true;
  }

  /** DJL's {@code toDevice} gives an alias where the device is the same, even if asked to copy. */
  private static NDArray copyToHost(NDArray array) {
    return array.getDevice().equals(Device.cpu())
        ? array.duplicate()
        : array.toDevice(Device.cpu(), true);
  }

  /** Puts the best weights back, in place. */
  void restore() {
    for (var pair : block.getParameters()) {
      Parameter parameter = pair.getValue();
      NDArray target = parameter.getArray();
      try (NDArray alias = target.stopGradient();
          NDArray moved = copies.get(pair.getKey()).toDevice(target.getDevice(), true)) {
        alias.set(new NDIndex("..."), moved);
      }
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
