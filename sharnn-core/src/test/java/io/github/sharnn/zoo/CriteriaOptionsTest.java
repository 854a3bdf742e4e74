package io.github.sharnn.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.TestModels;
import io.github.sharnn.generate.SHARNNGenerator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The options of a saved model's folder, from {@code serving.properties} or from the caller. */
class CriteriaOptionsTest {

  private static final int LENGTH = 40;

  @TempDir private Path temporary;
  private Path folder;

  @BeforeEach
  void save() throws Exception {
    folder = temporary.resolve("a model's folder");
    SHARNN block = TestModels.tiny().vocabularySize(128).build();
    try (Model model = block.newModel("book")) {
      TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 1, new Shape(1, 1));
      model.save(folder, null);
    }
  }

  private static Criteria.Builder<String, String> criteria(Path folder) {
    return Criteria.builder().setTypes(String.class, String.class).optModelPath(folder);
  }

  private Criteria.Builder<String, String> shorter() {
    return criteria(folder).optArgument("length", LENGTH);
  }

  private String generated(String prompt) throws Exception {
    try (Model model = SHARNN.load(folder)) {
      return SHARNNGenerator.builder(model).seed(42).length(LENGTH).build().generate(prompt);
    }
  }

  private void set(String option, String value) throws IOException {
    Path properties = folder.resolve("serving.properties");
    String own =
        Files.readString(properties).replaceFirst("#" + option + "=.*", option + "=" + value);
    assertThat(own).contains("\n" + option + "=" + value + "\n");
    Files.writeString(properties, own);
  }

  private static String predict(Criteria.Builder<String, String> criteria, String prompt)
      throws Exception {
    try (ZooModel<String, String> model = criteria.build().loadModel();
        Predictor<String, String> predictor = model.newPredictor()) {
      return predictor.predict(prompt);
    }
  }

  @Test
  void options_come_from_the_folder_and_before_it_from_the_caller() throws Exception {
    String text = generated("a");
    assertThat(predict(criteria(folder).optArgument("length", 20.0), "a"))
        .isEqualTo(text.substring(0, 20));
    set("length", "30");
    set("memoryLength", "3");
    Path properties = folder.resolve("serving.properties");
    String own = Files.readString(properties);
    Criteria.Builder<String, String> without =
        criteria(folder).optArgument("memoryLength", 4.0).optArgument("attention", false);
    try (ZooModel<String, String> model = without.build().loadModel()) {
      assertThat(SHARNN.of(model).config().memoryLength()).isEqualTo(4);
      assertThat(SHARNN.of(model).config().hasAttention()).isFalse();
    }
    try (ZooModel<String, String> model = criteria(folder).build().loadModel()) {
      assertThat(SHARNN.of(model).config().memoryLength()).isEqualTo(3);
      assertThat(SHARNNConfig.fromJson(model.getProperty(SHARNN.CONFIG_PROPERTY)))
          .isEqualTo(SHARNN.of(model).config());
      assertThat(predict(criteria(folder), "a"))
          .isEqualTo(SHARNNGenerator.builder(model).seed(42).length(30).build().generate("a"));
    }
    assertThat(predict(criteria(folder).optArgument("length", "9"), "a")).hasSize(9);
    try (Model model = SHARNN.load(folder)) {
      model.save(folder, null);
    }
    assertThat(properties).hasContent(own);
  }

  /** Every option of the translator, by another text than the default's. */
  @ParameterizedTest
  @CsvSource({
    "length, 39",
    "temperature, 0.3",
    "topK, 2",
    "topP, 0.1",
    "minP, 0.9",
    "repetitionPenalty, 3",
    "seed, 7"
  })
  void takes_every_option(String name, String value) throws Exception {
    String plain = generated("abc");
    assertThat(predict(shorter().optArgument(name, value), "abc")).isNotEqualTo(plain);
  }

  @Test
  void takes_the_options_of_options() throws Exception {
    String plain = generated("abc");
    Criteria.Builder<String, String> without =
        shorter().optArgument("repetitionPenalty", 3).optArgument("repetitionWindow", 0);
    assertThat(predict(without, "abc")).isEqualTo(plain);
    String stop = plain.substring(10, 12);
    assertThat(predict(shorter().optArgument("stop", stop), "abc"))
        .isEqualTo(plain.substring(0, plain.indexOf(stop) + 2));
    assertThat(predict(shorter().optArgument("stop", List.of("none", stop)), "abc"))
        .isEqualTo(plain.substring(0, plain.indexOf(stop) + 2));
  }

  @ParameterizedTest
  @CsvSource({
    "length, 0, length must be at least 1 token",
    "length, many, 'the argument length must be a number, but is many'",
    "topK, 1.5, the argument topK must be a whole number",
    "temperature, warm, 'the argument temperature must be a number, but is warm'",
    "memoryLength, -1, 'memoryLength must be at least 0, but is -1'",
    "memoryLength, long, the argument memoryLength must be a whole number",
    "memoryLength, 1.5, the argument memoryLength must be a whole number",
    "attention, no, 'the argument attention must be true or false, but is no'"
  })
  void refuses_an_option_that_breaks_its_rule(String name, String value, String message) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> criteria(folder).optArgument(name, value).build().loadModel())
        .withMessageContaining(message);
  }
}
