package io.github.sharnn.train;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.common.collect.Maps;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.train.checkpoint.HostCopy;
import java.util.LinkedHashMap;
import java.util.Map;

/** A copy of a block's weights in the host's memory, updated at each new best validation figure. */
final class BestWeights implements AutoCloseable {

  private final Map<String, Parameter> parameters;
  private final NDManager manager;
  private final Map<String, NDArray> copies = new LinkedHashMap<>();
  private double bpc = Double.POSITIVE_INFINITY;

  BestWeights(SHARNN block, NDManager parent) {
    this.parameters = SafetensorsWeights.names(block);
    this.manager = parent.newSubManager(Device.cpu());
  }

  /** Copies the weights if the figure is the lowest so far, and returns true in that case. */
  boolean saveIfBest(double validationBpc) {
    if (validationBpc >= bpc) {
      return false;
    }
    bpc = validationBpc;
    parameters.forEach((name, parameter) -> put(name, HostCopy.of(parameter.getArray(), manager)));
    return true;
  }

  /** Returns the shapes of the weights under the reference's names. */
  Map<String, Shape> shapes() {
    return Maps.transformValues(parameters, Parameter::getShape);
  }

  /** Takes ownership of weights with these {@link #shapes}, and stores their figure. */
  void load(Map<String, NDArray> weights, double validationBpc) {
    weights.forEach(
        (name, array) -> {
          array.attach(manager);
          put(name, array);
        });
    bpc = validationBpc;
  }

  NDManager manager() {
    return manager;
  }

  private void put(String name, NDArray copy) {
    NDArray previous = copies.put(name, copy);
    if (previous != null) {
      previous.close();
    }
  }

  /** Drops all weights. */
  void clear() {
    copies.values().forEach(NDArray::close);
    copies.clear();
    bpc = Double.POSITIVE_INFINITY;
  }

  /** Returns the lowest figure so far, or infinity. */
  double bpc() {
    return bpc;
  }

  /** Copies the best weights, under the reference's names; empty before the first evaluation. */
  Map<String, NDArray> copies(NDManager host) {
    return HostCopy.of(copies, host);
  }

  /** Copies the best weights back into the model. Does nothing before the first evaluation. */
  void restore() {
    if (copies.isEmpty()) {
      return;
    }
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
