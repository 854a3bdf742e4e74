package io.github.sharnn.engine.kernels;

import static io.github.sharnn.engine.kernels.Kernels.Use.AUTO;
import static io.github.sharnn.engine.kernels.Kernels.Use.OFF;
import static io.github.sharnn.engine.kernels.Kernels.Use.REQUIRED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.engine.InferenceMode;
import io.github.sharnn.engine.TorchScript;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class KernelsTest {

  @ParameterizedTest
  @CsvSource({
    "FORWARD, 16, 8, 2", "FORWARD, 64, 32, 2", "FORWARD, 100, 64, 2", "FORWARD, 128, 64, 2",
    "BACKWARD, 16, 8, 2", "BACKWARD, 64, 16, 4", "BACKWARD, 128, 32, 4", "FORWARD, 300, 64, 2"
  })
  void a_launch_uses_all_multiprocessors(
      LstmKernel.Direction direction, int batch, int columns, int splits) {
    LstmKernel.Plan plan = LstmKernel.plan(direction, batch, 1024, 132, 227 * 1024);
    assertThat(plan.columns()).isEqualTo(columns);
    assertThat(plan.splits()).isEqualTo(splits);
    assertThat(plan.launches(batch)).isEqualTo(batch <= columns * splits ? 1 : 3);
  }

  @Test
  void on_a_cpu_auto_and_off_leave_the_work_to_pytorch() {
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      NDArray x = manager.zeros(new Shape(64, 256, 128));
      assertThat(InferenceMode.call(() -> Kernels.forBlock(AUTO, x, false) == null)).isTrue();
      assertThat(InferenceMode.call(() -> Kernels.forBlock(OFF, x, false) == null)).isTrue();
    }
  }

  @Test
  void required_kernels_that_cannot_run_are_an_error_with_the_reason() {
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      NDArray x = manager.zeros(new Shape(2, 1, 128));
      assertThatIllegalStateException()
          .isThrownBy(() -> InferenceMode.call(() -> Kernels.forBlock(REQUIRED, x, false)))
          .withMessage(
              "this library's kernels can't run, because the device is cpu: kernels must be auto or off,"
                  + " but is required");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "FLOAT32, 1024, 'the precision is FLOAT32, not FLOAT16'",
    "FLOAT16, 960, 'the embedding size is 960, no multiple of 128 up to 1024'",
    "FLOAT16, 1152, 'the embedding size is 1152, no multiple of 128 up to 1024'"
  })
  void gives_the_reason_on_a_gpu(DataType type, int size, String reason) {
    assertThat(Kernels.reasonAgainst(Device.gpu(), type, size)).isEqualTo(reason);
  }

  @Test
  void required_kernels_let_pytorch_read_the_prompt_of_a_float32_decoder() {
    assertThat(Kernels.computes(Device.gpu(), DataType.FLOAT32, false)).isFalse();
    assertThat(Kernels.computes(Device.gpu(), DataType.FLOAT32, true)).isTrue();
    assertThat(Kernels.computes(Device.gpu(), DataType.FLOAT16, false)).isTrue();
    assertThat(Kernels.computes(Device.cpu(), DataType.FLOAT32, false)).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "132, 1024, 0",
    "64, 1024, 0",
    "63, 1024, 64",
    "58, 1024, 64",
    "24, 512, 32",
    "24, 384, 0"
  })
  void leaves_large_sizes_on_small_gpus_to_pytorch(int has, int size, int needed) {
    assertThat(Kernels.reasonAgainst(has, size))
        .isEqualTo(
            needed == 0
                ? ""
                : String.format(
                    Locale.ROOT,
                    "embedding size %s needs a GPU with %s multiprocessors, but this one has %s",
                    size,
                    needed,
                    has));
  }

  @ParameterizedTest
  @ValueSource(strings = {"common.cu", "lstm.cu", "boom.cu", "norm.cu", "embedding.cu", "token.cu"})
  void sources_are_resources_in_ascii(String name) {
    assertThat(TorchScript.source(Kernels.class, name)).isNotEmpty().isASCII();
  }
}
