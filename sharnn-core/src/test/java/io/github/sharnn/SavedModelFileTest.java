package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that no saved model has. */
class SavedModelFileTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT16", "FLOAT32", "FLOAT64"})
  void has_the_bytes_that_djl_writes(DataType dataType) throws Exception {
    SHARNN block = TestModels.tiny().tiedOutput(false).vocabularySize(3_000).build();
    try (NDManager manager = NDManager.newBaseManager()) {
      TestModels.initialized(block, manager, dataType, 1, new Shape(1, 1));
      block.embedding.getArray().setName("named");
      ByteArrayOutputStream own = new ByteArrayOutputStream();
      block.saveParameters(new DataOutputStream(own));
      ByteArrayOutputStream djl = new ByteArrayOutputStream();
      for (Parameter parameter : block.getDirectParameters().values()) {
        parameter.save(new DataOutputStream(djl));
      }
      for (Block child : block.getChildren().values()) {
        child.saveParameters(new DataOutputStream(djl));
      }
      byte[] ownBytes = own.toByteArray(); // version and shapes, and then these
      byte[] djlBytes = djl.toByteArray();
      int start = ownBytes.length - djlBytes.length;
      assertThat(start).isPositive();
      assertThat(Arrays.copyOfRange(ownBytes, start, ownBytes.length)).isEqualTo(djlBytes);
    }
  }

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
    SHARNNConfig.Builder options = TestModels.tiny().layers(1).boomShortcut(false);
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
        .hasMessageContaining("read it with Model.load into SHARNN.newModel of the same options");
    try (Model model = TestModels.tiny().build().newModel("plain")) {
      model.load(folder);
      model.save(folder, null); // the way out
    }
    SHARNN.load(folder).close();
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

  /** A byte of a good file, how far from a text in it, and what is wrong where it is another. */
  static Stream<Arguments> bytes() {
    String weights = "\0P\1\0\tembedding"; // what DJL writes of a parameter
    String gamma = "\0P\1\0\5gamma";
    String linear = "\0P\1\0\6weight";
    return Stream.of(
        arguments("DJL@", 3, '#', "it does not begin with DJL@"),
        arguments("DJL@", 7, 2, "its format of a model has the version 2; DJL 0.35 writes 1"),
        arguments("FLOAT32", 0, 'G', "it must be of FLOAT32, FLOAT16 or FLOAT64"),
        arguments("FLOAT32", 7, 0xFF, "it lists -16777215 inputs"),
        arguments("FLOAT32", 9, 4, "it lists 1025 inputs"),
        arguments("data0", 5, 0xFF, "a shape has -16777214 axes"),
        arguments("data0", 8, 9, "a shape has 9 axes"),
        arguments("data0", 9, 0x80, "a shape has the length -9223372036854775807"),
        arguments("data0", 28, 3, "a shape of 2 axes has the layout of 3"),
        arguments("data0", 30, 'X', "a shape has a layout that DJL does not know"),
        arguments("data0", 33, 0xFF, "it has -16777215 properties"),
        arguments("data0", 35, 4, "it has 1025 properties"),
        arguments("\"splits\":[]}", 13, 0xFF, "a block lists -16777215 input shapes"),
        arguments("\"splits\":[]}", 14, 0xFF, "a block lists 16711681 input shapes"),
        arguments(weights, 1, 'Q', "the parameter embedding has no weights"),
        arguments(weights, 2, 2, "its format of a parameter has the version 2"),
        arguments(weights, 5, 'E', "it has another parameter where embedding should be"),
        arguments("NDAR", 0, 'M', "the parameter embedding has no array"),
        arguments("NDAR", 7, 2, "its format of a array has the version 2"),
        arguments("NDAR", 8, 2, "the array of embedding neither has a name nor has none"),
        arguments("DENSE", 0, 'd', "the array of embedding is not dense"),
        arguments("DENSE", 42, '>', "the array of embedding is not little-endian"),
        arguments("DENSE", 46, 0x44, "has the shape (29, 16) of float32, but 1860 bytes"),
        arguments(gamma, -7, 17, "a block of the size (17) has weights of the shape [(16), (16)]"),
        arguments(
            linear, -29, 17, "a block of the size (64, 17) has weights of the shape [(64, 16"),
        arguments(linear, -45, 3, "its format of a Linear has the version 3; DJL 0.35 writes 4"));
  }

  @ParameterizedTest
  @MethodSource("bytes")
  void names_what_is_wrong_with_a_byte(String text, int at, int value, String message)
      throws Exception {
    String good = saved();
    StringBuilder bad = new StringBuilder(good);
    assertThat(good).contains(text);
    bad.setCharAt(good.indexOf(text) + at, (char) value);
    assertRefused(bad.toString(), message);
  }

  @Test
  void rejects_what_follows_the_weights_and_weights_of_two_types() throws Exception {
    String good = saved();
    assertRefused(good + "\0", "1 bytes follow its last weights");
    String bias = "outputBias\0\5DENSE\0\7FLOAT";
    assertRefused(
        good.replace(bias + "32", bias + "16"),
        "outputBias is of float16, but the weights before it are of float32");
  }

  @Test
  void reads_an_array_without_a_name() throws Exception {
    String named = "NDAR\0\0\0\3\1\0\tembedding";
    String good = saved();
    assertThat(good).contains(named);
    write(good.replace(named, "NDAR\0\0\0\3\0"));
    try (Model model = SHARNN.load(folder)) {
      assertThat(SHARNN.of(model).isInitialized()).isTrue();
    }
  }

  /** A good file, a character for each byte. */
  private String saved() throws IOException {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.save(folder, "tiny");
    }
    return Files.readString(folder.resolve("tiny-0000.params"), StandardCharsets.ISO_8859_1);
  }

  private void write(String bytes) throws IOException {
    Files.writeString(folder.resolve("tiny-0000.params"), bytes, StandardCharsets.ISO_8859_1);
  }

  private void assertRefused(String bytes, String message) throws IOException {
    write(bytes);
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageStartingWith("%s is no readable", folder.resolve("tiny-0000.params"))
        .hasMessageContaining(message);
  }

  @Test
  void rejects_a_config_of_more_weights_than_the_file_can_hold() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      // in the file a weight has 4 bytes; it could have 2
      model.setProperty(
          SHARNN.CONFIG_PROPERTY, TestModels.tiny().vocabularySize(1500).config().toJson());
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("the model of its config has ")
        .hasMessageContaining(" bytes follow");
  }

  @Test
  void gives_back_type_and_properties_and_bounds_their_number_and_length() throws Exception {
    SHARNN block = TestModels.tiny().build();
    try (Model model = block.newModel("tiny")) {
      model.setDataType(DataType.FLOAT64);
      block.initialize(model.getNDManager(), DataType.FLOAT64, new Shape(1, 1));
      for (int i = 1; i < 1000; i++) { // and the config
        model.setProperty("mine" + i, "value " + i);
      }
      model.save(folder, "tiny");
      try (Model loaded = SHARNN.load(folder)) {
        assertThat(loaded.getDataType()).isEqualTo(DataType.FLOAT64);
        assertThat(loaded.getProperty("mine999")).isEqualTo("value 999");
      }
      for (int i = 1; i < 66; i++) {
        model.setProperty("mine" + i, "x".repeat(65_000));
      }
      model.save(folder, "tiny");
      assertThatThrownBy(() -> SHARNN.load(folder))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining("its inputs and properties take more than 4194304 bytes");
      model.setProperty("mine1000", "one too many");
      model.save(folder, "tiny");
      assertThatThrownBy(() -> SHARNN.load(folder))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining("it has 1001 properties");
    }
  }
}
