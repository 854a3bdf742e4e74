package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RunHeaderTest {

  @ParameterizedTest
  @CsvSource({"1024, false", "768, false", "128, false", "64, false", "960, true", "1152, true"})
  void knows_the_sizes_of_slow_lstms(int size, boolean slow) {
    assertThat(RunHeader.slow(size)).isEqualTo(slow);
  }

  private static Model model(SHARNN block) {
    Model model = block.newModel("model", Device.cpu());
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
    return model;
  }

  @Test
  void counts_what_is_trained_and_what_collapse_leaves() {
    SHARNN block = TestModels.tiny().attentionLayers(0, 2).build();
    try (Model model = model(block)) {
      SHARNN collapsed = block.collapse(model.getNDManager());
      assertThat(collapsed.parameterCount()).isLessThan(block.parameterCount());
      assertThat(RunHeader.of(model).get(1))
          .isEqualTo(
              String.format(
                  Locale.ROOT,
                  "parameters %,d trained, %,d collapsed",
                  block.parameterCount(),
                  collapsed.parameterCount()));
      model.setBlock(collapsed);
      assertThat(RunHeader.of(model).get(1))
          .isEqualTo(
              String.format(Locale.ROOT, "parameters %,d, collapsed", collapsed.parameterCount()));
    }
  }

  @Test
  void names_device_and_precision() {
    try (Model model = model(TestModels.tiny().build())) {
      assertThat(RunHeader.of(model).get(0)).isEqualTo("device cpu, precision FLOAT32");
      assertThat(RunHeader.of(model, DataType.FLOAT16).get(0))
          .isEqualTo("device cpu, precision FLOAT16 with FLOAT32 weights");
    }
  }

  @Test
  void names_every_version() {
    try (Model model = model(TestModels.tiny().build())) {
      assertThat(RunHeader.of(model).get(2))
          .matches("sharnn \\d+\\.\\d+\\.\\d+\\S*, DJL \\d+\\.\\d+\\.\\d+, PyTorch \\S+, Java \\S+")
          .contains("DJL " + Engine.getDjlVersion())
          .contains("PyTorch " + Engine.getEngine("PyTorch").getVersion())
          .endsWith("Java " + System.getProperty("java.version"));
    }
  }
}
