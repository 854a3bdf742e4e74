package io.github.sharnn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import ai.djl.Device;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.engine.kernels.Kernels;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DecoderCheckTest {

  @ParameterizedTest
  @CsvSource({"1, FLOAT32, 1e-8, 1e-5", "3, FLOAT32, 1e-8, 1e-5", "2, FLOAT16, 1e-5, 1e-2"})
  void compares_with_float64(int streams, DataType precision, double least, double most) {
    GoldenReport report =
        new DecoderCheck(128, streams, precision).run(Device.cpu(), Kernels.Use.OFF);
    assertThat(report.compared()).isEqualTo(DecoderCheck.STEPS);
    assertThat(report.worst())
        .singleElement()
        .satisfies(
            worst -> {
              assertThat(worst.kind()).isEqualTo("logits");
              assertThat(worst.error()).isBetween(least, most); // the rounding of the precision
            });
    assertThat(report.passed()).isTrue();
  }

  @Test
  void needs_the_kernel() {
    DecoderCheck check = new DecoderCheck(128, 1, DataType.FLOAT32);
    assertThatIllegalStateException()
        .isThrownBy(() -> check.run(Device.cpu()))
        .withMessageContaining("this library's kernels can't run, because the device is cpu");
  }

  @Test
  void rejects_what_no_kernel_computes() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DecoderCheck(128, 0, DataType.FLOAT32))
        .withMessage("streams must be at least 1, but are 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DecoderCheck(128, 1, DataType.FLOAT64))
        .withMessageContaining("precision must be FLOAT16 or FLOAT32");
  }
}
