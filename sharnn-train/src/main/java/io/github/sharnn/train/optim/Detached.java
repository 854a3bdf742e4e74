package io.github.sharnn.train.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;

/** Arrays that outlive the manager and the scope that they were made in. */
final class Detached {

  private Detached() {}

  /** Detaches an array, which then lives until it is closed. */
  static NDArray of(NDArray array) {
    array.detach();
    NDScope.unregister(array);
    return array;
  }
}
