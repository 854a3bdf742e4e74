package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that no saved model has. */
class SavedModelFileTest {

  @TempDir private Path folder;

  @Test
  void rejects_a_config_that_does_not_fit_the_parameters() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.setProperty(
          SHARNN.CONFIG_PROPERTY, TestModels.tiny().vocabularySize(30).config().toJson());
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("(29, 16) in the file, but (30, 16)");
  }

  @Test
  void rejects_a_config_of_as_many_weights_in_other_shapes() throws Exception {
    // 17 units of the Boom less, each with 2 * 16 + 1 weights, for 33 tokens more, with 16 + 1
    SHARNNBuilder options = TestModels.tiny().layers(1).boomShortcut(false);
    SHARNNConfig other = options.vocabularySize(49).boomSize(1).config();
    try (Model model = TestModels.model(options.vocabularySize(16).boomSize(18), 1)) {
      assertThat(other.parameterCount()).isEqualTo(SHARNN.of(model).parameterCount());
      model.setProperty(SHARNN.CONFIG_PROPERTY, other.toJson());
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("(16, 16) in the file, but (49, 16)");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5})
  void rejects_a_config_of_another_depth(int layers) throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.setProperty(SHARNN.CONFIG_PROPERTY, TestModels.tiny().layers(layers).config().toJson());
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder)).isInstanceOf(MalformedModelException.class);
  }

  @Test
  void rejects_a_config_that_breaks_a_rule() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      String json = SHARNN.of(model).config().toJson();
      model.setProperty(SHARNN.CONFIG_PROPERTY, json.replace("64", "65"));
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("boomSize (65) must be a multiple of embeddingSize (16)");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "DJ", "DJL@", "hello, this is no model", "DJL@\0\0\0\1garbage"})
  void rejects_garbage(String bytes) throws Exception {
    Files.writeString(folder.resolve("tiny-0000.params"), bytes);
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining(folder.toString())
        .hasMessageNotContaining(": null");
  }

  @Test
  void rejects_random_bytes_after_the_magic() throws Exception {
    for (int seed = 0; seed < 20; seed++) {
      byte[] bytes = new byte[400];
      new Random(seed).nextBytes(bytes);
      System.arraycopy(new byte[] {'D', 'J', 'L', '@', 0, 0, 0, 1, 0, 1, 'm'}, 0, bytes, 0, 11);
      Files.write(folder.resolve("tiny-0000.params"), bytes);
      assertThatThrownBy(() -> SHARNN.load(folder)).isInstanceOf(MalformedModelException.class);
    }
  }

  @Test
  void rejects_a_file_cut_anywhere() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.save(folder, "tiny");
    }
    Path file = folder.resolve("tiny-0000.params");
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {3, 20, 200, 700, bytes.length / 2, bytes.length - 1}) {
      Files.write(file, Arrays.copyOf(bytes, length));
      assertThatThrownBy(() -> SHARNN.load(folder))
          .as("%s of %s bytes", length, bytes.length)
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining(folder.toString())
          .hasMessageNotContaining(": null");
    }
  }

  @Test
  void rejects_a_model_that_was_saved_without_its_config() throws Exception {
    SHARNN block = TestModels.tiny().build();
    try (Model model = Model.newInstance("plain", "PyTorch")) {
      model.setBlock(block);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      model.save(folder, "plain");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("no property sharnn.config")
        .hasMessageContaining("SHARNN.newModel");
  }

  /** With and without the property that only a SHARNN has. */
  @Test
  void rejects_another_architecture() throws Exception {
    try (Model model = Model.newInstance("linear", "PyTorch")) {
      Block block = Linear.builder().setUnits(64).build();
      model.setBlock(block);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 64));
      model.save(folder, null);
      assertThatThrownBy(() -> SHARNN.load(folder))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining(
              "linear-0000.params is no readable SHARNN model: it has no property");
      SHARNNConfig small = SHARNN.builder().embeddingSize(2).boomSize(2).layers(1).config();
      model.setProperty(SHARNN.CONFIG_PROPERTY, small.toJson());
      model.save(folder, null);
      assertThatThrownBy(() -> SHARNN.load(folder))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining("linear-0001.params is no readable SHARNN model: ");
    }
  }
}
