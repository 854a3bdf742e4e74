package io.github.sharnn.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.TestModels;
import io.github.sharnn.engine.kernels.Kernels;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class KernelStepTest {

  private static SHARNNConfig.Builder small() {
    return SHARNN.builder().vocabularySize(300).embeddingSize(128).boomSize(512).layers(2);
  }

  static List<Arguments> models() {
    return List.of(
        Arguments.of(small(), ""),
        Arguments.of(small().attentionLayers().tiedOutput(false).boomSize(2048), ""),
        Arguments.of(small().layers(20), ""),
        Arguments.of(small().layers(21), "the model has more than 20 layers"),
        Arguments.of(small().boomShortcut(false), "the Boom has no shortcut"),
        Arguments.of(
            small().boomSize(17 * 128), "the Boom is more than 16 times as large as the embedding"),
        Arguments.of(small().keyProjection(true), "attention projects keys or values"),
        Arguments.of(small().valueProjection(true), "attention projects keys or values"),
        Arguments.of(small().splits(100), "the vocabulary has splits"),
        Arguments.of(
            SHARNNConfig.fromJson(
                small()
                    .attentionLayers()
                    .config()
                    .toJson()
                    .replace("\"droppedAttention\":[]", "\"droppedAttention\":[0]"))
                .toBuilder(),
            "layers have lost their attention"),
        Arguments.of(
            small().embeddingSize(64), "the embedding size is 64, no multiple of 128 up to 1024"));
  }

  @ParameterizedTest
  @MethodSource("models")
  void knows_the_models_that_the_kernel_computes(SHARNNConfig.Builder builder, String reason) {
    SHARNNConfig config = builder.config();
    assertThat(KernelStep.reasonAgainst(config, DataType.FLOAT16)).isEqualTo(reason);
    assertThat(KernelStep.reasonAgainst(config, DataType.FLOAT32)).isEqualTo(reason);
    assertThat(KernelStep.reasonAgainst(config, DataType.FLOAT64))
        .isEqualTo("the precision is FLOAT64");
  }

  @Test
  void on_a_cpu_required_kernels_are_an_error_and_others_pytorchs() {
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      SHARNN model = TestModels.initialized(small(), manager, 1);
      assertThat(SHARNNDecoder.kernels(model, null))
          .isEqualTo("PyTorch's, because the device is cpu");
      assertThat(SHARNNDecoder.kernels(model.kernels(Kernels.Use.OFF), DataType.FLOAT32))
          .isEqualTo("PyTorch's, because kernels are off");
      model.kernels(Kernels.Use.REQUIRED);
      assertThatIllegalStateException()
          .isThrownBy(() -> SHARNNDecoder.of(model, manager, 1, null))
          .withMessage(
              "this library's kernels can't run, because the device is cpu: kernels must be auto or off,"
                  + " but is required");
    }
  }
}
