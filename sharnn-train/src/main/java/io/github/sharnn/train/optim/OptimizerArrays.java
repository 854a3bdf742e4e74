package io.github.sharnn.train.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Arrays that an optimizer keeps for each parameter between updates. The arrays outlive the manager
 * and the scope that created them. A checkpoint saves each array under a prefix plus the
 * parameter's id.
 */
final class OptimizerArrays implements AutoCloseable {

  private final String prefix;
  private final Map<String, NDArray> arrays = new HashMap<>();

  OptimizerArrays(String prefix) {
    this.prefix = prefix;
  }

  /** Returns an array for each parameter; the first call makes it by {@code first}. */
  NDList get(List<String> ids, NDList weights, UnaryOperator<NDArray> first) {
    NDList list = new NDList(ids.size());
    for (int i = 0; i < ids.size(); i++) {
      NDArray weight = weights.get(i);
      list.add(arrays.computeIfAbsent(ids.get(i), id -> detached(first.apply(weight))));
    }
    return list;
  }

  boolean isEmpty() {
    return arrays.isEmpty();
  }

  /** Returns the arrays under the names that a checkpoint saves them by. */
  Map<String, NDArray> named() {
    Map<String, NDArray> named = new HashMap<>();
    arrays.forEach((id, array) -> named.put(prefix + id, array));
    return named;
  }

  /** Replaces the arrays by copies of those with the prefix. */
  void restore(Map<String, NDArray> named) {
    close();
    named.forEach(
        (name, array) -> {
          if (name.startsWith(prefix)) {
            arrays.put(name.substring(prefix.length()), detached(array.duplicate()));
          }
        });
  }

  private static NDArray detached(NDArray array) {
    array.detach();
    NDScope.unregister(array);
    return array;
  }

  @Override
  public void close() {
    arrays.values().forEach(NDArray::close);
    arrays.clear();
  }
}
