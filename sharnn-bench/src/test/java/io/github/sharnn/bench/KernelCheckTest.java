package io.github.sharnn.bench;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.github.sharnn.engine.kernels.Kernels;
import org.junit.jupiter.api.Test;

class KernelCheckTest {

  @Test
  void finds_no_difference_between_equal_runs() {
    GoldenReport report = new KernelCheck(128, 3, 5).run(Device.cpu(), Kernels.Use.OFF);
    assertThat(report.worst())
        .extracting(GoldenReport.Measure::kind)
        .containsExactly("output", "state", "gradient");
    assertThat(report.worst()).extracting(GoldenReport.Measure::error).containsOnly(0.0);
    assertThat(report.compared()).isEqualTo(44);
  }
}
