package io.github.sharnn.train;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.nn.Parameter;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.train.checkpoint.Checkpoint;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** A copy of a block's weights in the host's memory, taken whenever validation has improved. */
public final class BestWeights implements AutoCloseable {

  private final Map<String, Parameter> parameters;
  private final NDManager manager;
  private final Map<String, NDArray> copies = new LinkedHashMap<>();
  private double bpc = Double.POSITIVE_INFINITY;

  BestWeights(SHARNN block, NDManager parent) {
    this.parameters = SafetensorsWeights.names(block);
    this.manager = parent.newSubManager(Device.cpu());
  }

  /** Copies the weights if {@code validationBpc} is the lowest so far; returns whether it is. */
  boolean saveIfBest(double validationBpc) {
    if (validationBpc >= bpc) {
      return false;
    }
    bpc = validationBpc;
    parameters.forEach((name, parameter) -> keep(name, copyToHost(parameter.getArray())));
    return true;
  }

  /** Takes the weights in a checkpoint's file for those of this figure. */
  void load(Checkpoint checkpoint, String file, double validationBpc) throws IOException {
    checkpoint.checkWeights(file, parameters);
    checkpoint.tensors(manager, file).forEach(this::keep);
    bpc = validationBpc;
  }

  private void keep(String name, NDArray copy) {
    copy.attach(manager);
    NDArray previous = copies.put(name, copy);
    if (previous != null) {
      previous.close();
    }
  }

  /** Forgets all. */
  void clear() {
    copies.values().forEach(NDArray::close);
    copies.clear();
    bpc = Double.POSITIVE_INFINITY;
  }

  /** The lowest figure so far, or infinity. */
  double bpc() {
    return bpc;
  }

  /** The weights under the reference's names; empty before the first offer. */
  Map<String, NDArray> copies() {
    return Collections.unmodifiableMap(copies);
  }

  /** DJL's {@code toDevice} gives an alias where the device is the same, even if asked to copy. */
  public static NDArray copyToHost(NDArray array) {
    return array.getDevice().equals(Device.cpu())
        ? array.duplicate()
        : array.toDevice(Device.cpu(), true);
  }

  /** Puts the best weights back, in place. */
  void restore() {
    for (Map.Entry<String, Parameter> entry : parameters.entrySet()) {
      NDArray target = entry.getValue().getArray();
      try (NDArray alias = target.stopGradient();
          NDArray moved = copies.get(entry.getKey()).toDevice(target.getDevice(), true)) {
        alias.set(new NDIndex("..."), moved);
      }
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
