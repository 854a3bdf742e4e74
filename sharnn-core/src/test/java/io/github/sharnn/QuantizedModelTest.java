package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.ParameterStore;
import com.google.common.collect.Iterables;
import io.github.sharnn.engine.Int8Matrix;
import io.github.sharnn.io.Safetensors;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QuantizedModelTest {

  @TempDir private Path folder;

  private static Map<String, float[]> weights(Model model) {
    Map<String, float[]> weights = new HashMap<>();
    SHARNN block = SHARNN.of(model);
    try (NDManager manager = model.getNDManager().newSubManager()) {
      SafetensorsWeights.names(block)
          .forEach((name, p) -> weights.put(name, block.packed().value(p, manager).toFloatArray()));
    }
    return weights;
  }

  private static float largest(float[] values, int from, int to) {
    float largest = 0;
    for (int i = from; i < to; i++) {
      largest = Math.max(largest, Math.abs(values[i]));
    }
    return largest;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7})
  void moves_each_weight_by_at_most_half_a_step_of_its_row(int seed) {
    try (Model model = TestModels.model(TestModels.vary(seed), seed)) {
      Map<String, float[]> before = weights(model);
      assertThat(SHARNN.of(model).quantize().isQuantized()).isTrue();
      Map<String, float[]> after = weights(model);
      for (Weight weight : Weight.of(SHARNN.of(model).config())) {
        float[] old = before.get(weight.name());
        float[] rounded = after.get(weight.name());
        if (weight.shape().dimension() != 2) {
          assertThat(rounded).as(weight.name()).isEqualTo(old);
          continue;
        }
        int columns = (int) weight.shape().get(1);
        boolean moved = false;
        for (int i = 0; i < old.length; i++) {
          int row = i / columns * columns;
          double step = largest(old, row, row + columns) / 127.0;
          assertThat(Math.abs(old[i] - rounded[i])).isLessThanOrEqualTo((float) (0.5001 * step));
          moved |= old[i] != rounded[i];
        }
        assertThat(moved).as(weight.name()).isTrue();
      }
    }
  }

  @Test
  void rounds_a_row_by_its_largest_number() {
    try (NDManager manager = NDManager.newBaseManager()) {
      float[] numbers = {127, -1.4f, 0.6f, 0, 0, 0, -2, 1, 0.5f};
      Int8Matrix matrix = Int8Matrix.of(manager.create(numbers, new Shape(3, 3)), manager);
      assertThat(matrix.values().toByteArray()).containsExactly(127, -1, 1, 0, 0, 0, -127, 63, 32);
      assertThat(matrix.scales().toFloatArray()[0]).isEqualTo(1);
      assertThat(matrix.scales().toFloatArray()[2]).isBetween(2 / 127f, 2 / 127f * 1.00002f);
    }
  }

  @Test
  void quantizes_a_quantized_matrix_to_itself() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray matrix = manager.randomNormal(0, 0.03f, new Shape(500, 64), DataType.FLOAT32);
      Int8Matrix once = Int8Matrix.of(matrix, manager);
      Int8Matrix twice = Int8Matrix.of(once.dequantized(), manager);
      NDArrayAssert.assertThat(twice.values()).isExactly(once.values());
      NDArrayAssert.assertThat(twice.scales()).isExactly(once.scales());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7})
  void keeps_every_weight_on_the_way_through_a_folder(int seed) throws Exception {
    try (Model model = TestModels.model(TestModels.vary(seed), seed)) {
      SHARNN.of(model).quantize();
      model.save(folder, null);
      try (Model loaded = SHARNN.load(folder)) {
        assertThat(SHARNN.of(loaded).isQuantized()).isFalse();
        Map<String, float[]> saved = weights(model);
        weights(loaded).forEach((name, w) -> assertThat(w).as(name).isEqualTo(saved.get(name)));
        Path again = folder.resolve("again");
        SHARNN.of(loaded).quantize();
        loaded.save(again, null);
        assertThat(again.resolve("model.safetensors"))
            .hasSameBinaryContentAs(folder.resolve("model.safetensors"));
      }
    }
  }

  @Test
  void holds_matrices_of_8_bits_beside_scales_of_their_rows() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      SHARNN.of(model).quantize();
      model.save(folder, null);
    }
    try (Safetensors file = Safetensors.open(folder.resolve("model.safetensors"))) {
      Map<String, Safetensors.Tensor> tensors = file.tensors();
      assertThat(tensors.get("encoder.weight").dataType()).isEqualTo(DataType.INT8);
      assertThat(tensors.get("encoder.weight.scales").shape())
          .isEqualTo(new Shape(TestModels.VOCABULARY));
      assertThat(tensors.get("blocks.0.rnn.weight_hh_l0").dataType()).isEqualTo(DataType.INT8);
      assertThat(tensors.get("blocks.0.rnn.bias_hh_l0").dataType()).isEqualTo(DataType.FLOAT32);
    }
    assertThat(folder.resolve("config.json")).content().contains("\"quantization\": \"int8\"");
    assertThat(folder.resolve("README.md")).content().contains("(INT8)");
  }

  @Test
  void loads_through_criteria() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      SHARNN.of(model).quantize();
      model.save(folder, null);
    }
    Criteria<String, String> criteria =
        Criteria.builder()
            .setTypes(String.class, String.class)
            .optModelPath(folder)
            .optArgument("length", "5")
            .build();
    try (ZooModel<String, String> model = criteria.loadModel();
        Predictor<String, String> predictor = model.newPredictor()) {
      assertThat(predictor.predict("\u0001\u0002")).isNotEmpty();
    }
  }

  @Test
  void shares_the_mark_with_a_model_of_a_shorter_memory() {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      assertThat(SHARNN.of(model).quantize().withMemoryLength(3).isQuantized()).isTrue();
    }
  }

  @Test
  void rejects_training() {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = TestModels.model(TestModels.tiny(), 1)) {
      SHARNN block = SHARNN.of(model).quantize();
      NDArray tokens = TestModels.tokens(manager, new Random(1), 1, 4);
      SHARNNState state = TestModels.zeros(block, manager, 1);
      assertThatThrownBy(
              () -> block.forward(new ParameterStore(manager, false), tokens, state, true))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("a quantized model does not train: load the model without quantize()");
    }
  }

  @Test
  void takes_no_other_weights() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.save(folder, null);
      SHARNN block = SHARNN.of(model).quantize();
      Map<String, float[]> before = weights(model);
      assertThatThrownBy(
              () ->
                  SafetensorsWeights.read(
                      block, model.getNDManager(), folder.resolve("model.safetensors")))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage(
              "a quantized model can't take other weights: read them into a new model, then quantize"
                  + " it");
      weights(model)
          .forEach((name, values) -> assertThat(values).as(name).isEqualTo(before.get(name)));
    }
  }

  @Test
  void stays_as_it_is_if_a_later_matrix_is_not_finite() {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      SHARNN block = SHARNN.of(model);
      Map<String, Parameter> parameters = SafetensorsWeights.names(block);
      String last =
          Iterables.getLast(
              Iterables.filter(
                  parameters.keySet(),
                  name -> SafetensorsWeights.isMatrix(parameters.get(name).getShape())));
      NDArray array = parameters.get(last).getArray();
      array.setRequiresGradient(false);
      array.set(new NDIndex("1, 0"), Float.NaN);
      Map<String, float[]> before = weights(model);
      assertThatThrownBy(block::quantize)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "only finite weights can be quantized, but row 1 of %s has another: repair the model",
              last);
      assertThat(block.isQuantized()).isFalse();
      weights(model)
          .forEach((name, values) -> assertThat(values).as(name).isEqualTo(before.get(name)));
    }
  }

  @Test
  void rejects_weights_of_another_type_or_not_finite() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN half = TestModels.tiny().build();
      TestModels.initialized(half, manager, DataType.FLOAT16, 1, new Shape(1, 1));
      assertThatThrownBy(half::quantize)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("only FLOAT32 weights can be quantized");
      NDArray infinite = manager.create(new float[] {1, Float.POSITIVE_INFINITY}, new Shape(1, 2));
      assertThatThrownBy(() -> Int8Matrix.of(infinite, manager))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("only finite weights can be quantized");
      assertThatThrownBy(TestModels.tiny().build()::quantize)
          .isInstanceOf(IllegalStateException.class);
    }
  }
}
