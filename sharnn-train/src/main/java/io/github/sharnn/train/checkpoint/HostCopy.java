package io.github.sharnn.train.checkpoint;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.LinkedHashMap;
import java.util.Map;

/** Copies of arrays in the host's memory. */
public final class HostCopy {

  private HostCopy() {}

  /**
   * {@return a copy of an array on the host}
   *
   * @param array an array on any device
   * @param host the owner of the copy
   */
  public static NDArray of(NDArray array, NDManager host) {
    // toDevice returns an alias if the device is the same, even if asked for a copy
    NDArray copy =
        array.getDevice().equals(Device.cpu())
            ? array.duplicate()
            : array.toDevice(Device.cpu(), true);
    copy.attach(host);
    return copy;
  }

  /**
   * {@return copies of arrays on the host, under the same names}
   *
   * @param arrays arrays on any device
   * @param host the owner of the copies
   */
  public static Map<String, NDArray> of(Map<String, NDArray> arrays, NDManager host) {
    Map<String, NDArray> copies = new LinkedHashMap<>();
    arrays.forEach((name, array) -> copies.put(name, of(array, host)));
    return copies;
  }
}
