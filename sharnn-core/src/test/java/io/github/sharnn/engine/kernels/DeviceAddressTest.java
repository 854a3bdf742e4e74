package io.github.sharnn.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.sun.jna.Pointer;
import org.junit.jupiter.api.Test;

class DeviceAddressTest {

  @Test
  void is_the_first_elements() {
    try (NDManager manager = NDManager.newBaseManager()) {
      DeviceAddress.check();
      NDArray array = manager.create(new float[] {1, 2, 3, 4});
      NDArray view = array.get("2:");
      assertThat(new Pointer(DeviceAddress.of(array)).getFloatArray(0, 4))
          .containsExactly(1, 2, 3, 4);
      assertThat(DeviceAddress.of(view)).isEqualTo(DeviceAddress.of(array) + 8);
    }
  }
}
