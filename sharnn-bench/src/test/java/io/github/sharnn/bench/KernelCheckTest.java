package io.github.sharnn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.Device;
import io.github.sharnn.engine.kernels.Kernels;
import org.junit.jupiter.api.Test;

class KernelCheckTest {

  @Test
  void compares_with_the_same_model_in_float32() {
    GoldenReport report = new KernelCheck(128, 3, 5).run(Device.cpu(), Kernels.Use.OFF);
    assertThat(report.worst())
        .extracting(GoldenReport.Measure::kind)
        .containsExactly("output", "state", "gradient");
    // the rounding of FLOAT16
    assertThat(report.worst().get(0).error()).isBetween(1e-5, KernelCheck.TOLERANCE);
    assertThat(report.worst().get(1).error()).isBetween(1e-5, KernelCheck.TOLERANCE);
    assertThat(report.worst().get(2).error()).isBetween(1e-5, 0.1);
    assertThat(report.compared()).isEqualTo(44);
  }

  @Test
  void rejects_a_number_below_one() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new KernelCheck(128, 0, 5))
        .withMessage("batchSize must be at least 1, but is 0");
  }
}
