package io.github.sharnn.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import io.github.sharnn.generate.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Arguments of Criteria and of serving.properties that are misspelt or not ours. */
class UnknownArgumentsTest {

  @TempDir private Path folder;

  @BeforeEach
  void save() throws IOException {
    try (Model model = TinyModel.of(TinyModel.builder(), DataType.FLOAT32, 1)) {
      model.save(folder, null);
    }
  }

  private Criteria.Builder<String, String> criteria() {
    return Criteria.builder().setTypes(String.class, String.class).optModelPath(folder);
  }

  @ParameterizedTest
  @CsvSource({
    "temprature, did you mean temperature?",
    "Temperature, did you mean temperature?",
    "top_k, did you mean topK?",
    "toppp, did you mean topP?",
    "repetition_penalty, did you mean repetitionPenalty?",
    "maxLength, did you mean length?",
    "memoryLenght, did you mean memoryLength?",
    "atention, did you mean attention?",
    "x, 'the known names are length, temperature, '",
    "precision, 'the known names are length, temperature, '"
  })
  void an_unknown_argument_is_refused_by_name(String name, String message) throws IOException {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> criteria().optArgument(name, "1").build().loadModel())
        .withMessageContaining(
            "the argument " + name + ", of Criteria or serving.properties, is no")
        .withMessageContaining(message);
    Files.writeString(
        folder.resolve("serving.properties"), name + "=1\n", StandardOpenOption.APPEND);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> criteria().build().loadModel())
        .withMessageContaining("the argument " + name)
        .withMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "minWorkers",
        "maxWorkers",
        "batch_size",
        "job_queue_size",
        "max_idle_time",
        "load_on_devices",
        "gpu.maxWorkers",
        "option.mapLocation"
      })
  void the_properties_of_djl_serving_are_allowed(String name) throws Exception {
    Files.writeString(
        folder.resolve("serving.properties"), name + "=1\n", StandardOpenOption.APPEND);
    try (ZooModel<String, String> model = criteria().build().loadModel()) {
      assertThat(model.getNDManager().isOpen()).isTrue();
    }
  }

  @Test
  void a_criteria_s_own_settings_are_allowed() throws Exception {
    try (ZooModel<String, String> model =
        criteria()
            .optEngine("PyTorch")
            .optModelName("other")
            .optOption("a", "b")
            .build()
            .loadModel()) {
      assertThat(model.getName()).isEqualTo("other");
    }
  }
}
