package io.github.sharnn.train.checkpoint;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.LinkedHashMap;
import java.util.Map;

/** Copies of arrays in the host's memory. */
public final class HostCopy {

  private HostCopy() {}

  /** Copies an array to a manager on the host. */
  public static NDArray of(NDArray array, NDManager host) {
    // toDevice returns an alias if the device is the same, even if asked for a copy
    NDArray copy =
        array.getDevice().equals(Device.cpu())
            ? array.duplicate()
            : array.toDevice(Device.cpu(), true);
    copy.attach(host);
    return copy;
  }

  /** Copies arrays to a manager on the host. */
  public static Map<String, NDArray> of(Map<String, NDArray> arrays, NDManager host) {
    Map<String, NDArray> copies = new LinkedHashMap<>();
    arrays.forEach((name, array) -> copies.put(name, of(array, host)));
    return copies;
  }
}
