package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.Safetensors;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders that are no saved model, or not as it was saved. */
class DamagedModelTest {

  private static final String CONFIG = "config.json";
  private static final String WEIGHTS = "model.safetensors";

  @TempDir private Path folder;

  private void save(SHARNNConfig.Builder builder) throws IOException {
    try (Model model = TestModels.model(builder, 1)) {
      model.save(folder, "tiny");
    }
  }

  /** Writes the sums of files that are as they should not be. */
  private void sum() throws IOException {
    StringBuilder sums = new StringBuilder();
    for (String name : new String[] {CONFIG, WEIGHTS}) {
      sums.append(MoreFiles.asByteSource(folder.resolve(name)).hash(Hashing.sha256()))
          .append("  ")
          .append(name)
          .append('\n');
    }
    Files.writeString(folder.resolve("SHA256SUMS"), sums);
  }

  private void edit(UnaryOperator<String> change) throws IOException {
    Path file = folder.resolve(CONFIG);
    String old = Files.readString(file);
    String edited = change.apply(old);
    assertThat(edited).isNotEqualTo(old);
    Files.writeString(file, edited);
    sum();
  }

  private void assertRefused(String file, String message) {
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining(folder.resolve(file).toString())
        .hasMessageContaining(message)
        .hasMessageNotContaining(": null");
  }

  /** Each byte of what the model is made of. */
  @Test
  void finds_a_change_in_every_file_and_names_it() throws Exception {
    WordVocabulary words = WordVocabulary.of(List.of("the", "<eos>", "<unk>", "cat"));
    save(TestModels.tiny().layers(1).vocabularySize(4).vocabulary(words));
    Random random = new Random(1);
    for (String name : new String[] {CONFIG, WEIGHTS, "vocabulary.txt"}) {
      Path file = folder.resolve(name);
      byte[] good = Files.readAllBytes(file);
      for (int i = 0; i < 20; i++) {
        byte[] bad = good.clone();
        bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
        Files.write(file, bad);
        assertThatThrownBy(() -> SHARNN.load(folder))
            .hasMessageContaining(file.toString())
            .hasMessageContaining("SHA-256")
            .hasMessageContaining("copy the f");
      }
      Files.write(file, good);
    }
    SHARNN.load(folder).close();
  }

  @Test
  void says_what_is_damaged_and_what_to_do() throws Exception {
    save(TestModels.tiny());
    Path file = folder.resolve(WEIGHTS);
    String good = MoreFiles.asByteSource(file).hash(Hashing.sha256()).toString();
    Files.write(file, new byte[] {1});
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessage(
            String.format(
                    Locale.ROOT,
                    "%s is damaged: its SHA-256 is %s, but SHA256SUMS lists %s; copy the folder again from where",
                    file,
                    Hashing.sha256().hashBytes(new byte[] {1}),
                    good)
                + " it was saved, or if you changed the file yourself, put its new SHA-256 into"
                + " SHA256SUMS");
    Files.delete(file);
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining(file.toString());
  }

  @Test
  void rejects_files_cut_anywhere() throws Exception {
    save(TestModels.tiny());
    for (String name : new String[] {"SHA256SUMS", CONFIG, WEIGHTS}) {
      Path file = folder.resolve(name);
      byte[] bytes = Files.readAllBytes(file);
      for (int length : new int[] {0, 3, 20, bytes.length / 2, bytes.length - 2}) {
        Files.write(file, Arrays.copyOf(bytes, length));
        assertRefused(length == 0 && name.equals("SHA256SUMS") ? "SHA256SUMS" : name, "");
        if (!name.equals("SHA256SUMS")) {
          byte[] sums = Files.readAllBytes(folder.resolve("SHA256SUMS"));
          sum();
          assertRefused(name, "");
          Files.write(folder.resolve("SHA256SUMS"), sums);
        }
      }
      Files.write(file, bytes);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "no sums",
        "0123  config.json",
        "../config.json",
        "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855  config.json",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ../config.json",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"
            + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a"
      })
  void rejects_sums_that_are_none(String sums) throws Exception {
    save(TestModels.tiny());
    Files.writeString(folder.resolve("SHA256SUMS"), sums);
    assertRefused("SHA256SUMS", "is damaged: each line must be a SHA-256, two spaces and the name");
  }

  @Test
  void takes_the_sums_that_sha256sum_writes() throws Exception {
    save(TestModels.tiny());
    Path sums = folder.resolve("SHA256SUMS");
    String written = Files.readString(sums);
    Files.writeString(sums, written.replace("  ", " *").replace("\n", "\r\n"));
    SHARNN.load(folder).close();
    Files.writeString(sums, written.replaceFirst("(?m)^.*model.safetensors\n", ""));
    assertRefused("SHA256SUMS", "lists no model.safetensors");
    Files.write(sums, new byte[1 << 17]);
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(IOException.class)
        .hasMessage(sums + " must have at most 65536 bytes, but has 131072");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[]", "null", "3", "hello", "{}", "{\"model_type\": 3}"})
  void rejects_a_config_that_is_no_description(String config) throws Exception {
    save(TestModels.tiny());
    edit(old -> config);
    assertRefused(CONFIG, "is not a readable config of a SHARNN: ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"sharnn\"|\"gpt2\"|its model_type must be sharnn, but is \"gpt2\"",
        "\"format_version\": 1|\"format_version\": 2|it has the format_version 2, but this library reads 1",
        "\"name\": \"tiny\"|\"name\": \"a/b\"|a model's name must be a file name",
        "\"name\": \"tiny\"|\"nome\": \"tiny\"|name must be a text, but is null",
        "\"model\": {|\"modal\": {|it has no object model, which every model has",
        "\"properties\": {|\"properties\": 3, \"x\": {|it has no object properties",
        "\"properties\": {|\"properties\": {\"a\": 1|a must be a text, but is 1",
        "\"properties\": {|\"vocabulary\": {\"kind\": 1}, \"properties\": {|kind must be a text",
        "\"boomSize\": 64|\"boomSize\": 65|boomSize (65) must be a multiple of embeddingSize (16)"
      })
  void names_what_is_wrong_with_the_config(String text, String other, String message)
      throws Exception {
    save(TestModels.tiny());
    edit(config -> config.replace(text, other));
    assertRefused(CONFIG, message);
  }

  @Test
  void rejects_a_vocabulary_of_another_size() throws Exception {
    WordVocabulary words = WordVocabulary.of(List.of("the", "<eos>", "<unk>", "cat"));
    save(TestModels.tiny().vocabularySize(4).vocabulary(words));
    edit(config -> config.replace("\"vocabularySize\": 4", "\"vocabularySize\": 5"));
    assertRefused(CONFIG, "vocabularySize must be the size of the vocabulary");
  }

  @Test
  void rejects_a_config_that_does_not_fit_the_weights() throws Exception {
    save(TestModels.tiny());
    edit(config -> config.replace("\"vocabularySize\": 29", "\"vocabularySize\": 28"));
    assertRefused(WEIGHTS, "encoder.weight (29, 16) (model: (28, 16))");
  }

  @Test
  void rejects_a_config_of_as_many_weights_in_other_shapes() throws Exception {
    // 17 units of the Boom less, each with 2 * 16 + 1 weights, for 33 tokens more, with 16 + 1
    SHARNNConfig.Builder options = TestModels.tiny().layers(1).boomShortcut(false);
    SHARNNConfig other = options.vocabularySize(49).boomSize(1).config();
    options.vocabularySize(16).boomSize(18);
    assertThat(other.parameterCount()).isEqualTo(options.config().parameterCount());
    save(options);
    edit(
        config ->
            config
                .replace("\"vocabularySize\": 16", "\"vocabularySize\": 49")
                .replace("\"boomSize\": 18", "\"boomSize\": 1"));
    assertRefused(WEIGHTS, "encoder.weight (16, 16) (model: (49, 16))");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void rejects_a_config_of_another_depth(int layers) throws Exception {
    save(TestModels.tiny().attentionLayers(0));
    edit(config -> config.replace("\"layers\": 3", "\"layers\": " + layers));
    assertRefused(WEIGHTS, "unknown: [blocks.");
  }

  @Test
  void rejects_a_config_of_more_weights_than_the_file_holds() throws Exception {
    save(TestModels.tiny());
    edit(config -> config.replace("\"vocabularySize\": 29", "\"vocabularySize\": 100000"));
    assertRefused(WEIGHTS, "numbers, but the model has ");
  }

  @Test
  void rejects_weights_of_two_types_and_of_none() throws Exception {
    save(TestModels.tiny());
    Path file = folder.resolve(WEIGHTS);
    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> tensors = new LinkedHashMap<>();
      try (Safetensors saved = Safetensors.open(file)) {
        tensors.putAll(saved.readAll(manager));
      }
      NDArray bias = tensors.get("decoder.bias");
      tensors.put("decoder.bias", bias.toType(DataType.FLOAT16, true));
      AtomicFile.write(file, channel -> Safetensors.write(tensors, Map.of(), channel));
      sum();
      assertRefused(
          WEIGHTS, "must hold weights of one type, F64, F32 or F16, but holds [F32, F16]");
      tensors.replaceAll((name, array) -> array.toType(DataType.INT32, true));
      AtomicFile.write(file, channel -> Safetensors.write(tensors, Map.of(), channel));
      sum();
      assertRefused(WEIGHTS, "must hold weights of one type, F64, F32 or F16, but holds [I32]");
      AtomicFile.write(file, channel -> Safetensors.write(Map.of(), Map.of(), channel));
      sum();
      assertRefused(WEIGHTS, "must hold weights of one type, F64, F32 or F16, but holds []");
    }
  }

  @Test
  void gives_back_type_and_properties_and_bounds_their_length() throws Exception {
    SHARNN block = TestModels.tiny().build();
    try (Model model = block.newModel("tiny")) {
      block.initialize(model.getNDManager(), DataType.FLOAT64, new Shape(1, 1));
      for (int i = 1; i < 1000; i++) {
        model.setProperty("mine" + i, "value \"\n" + i);
      }
      model.save(folder, "tiny");
      try (Model loaded = SHARNN.load(folder)) {
        assertThat(loaded.getDataType()).isEqualTo(DataType.FLOAT64);
        assertThat(loaded.getProperties()).isEqualTo(model.getProperties());
      }
      byte[] before = Files.readAllBytes(folder.resolve(CONFIG));
      model.setProperty("long", "x".repeat(4 << 20));
      assertThatThrownBy(() -> model.save(folder, "tiny"))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("the properties of model tiny take ")
          .hasMessageContaining("give it fewer or shorter ones");
      assertThat(folder.resolve(CONFIG)).hasBinaryContent(before);
      Files.writeString(folder.resolve(CONFIG), " ".repeat(5 << 20), StandardCharsets.UTF_8);
      sum();
      assertThatThrownBy(() -> SHARNN.load(folder))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("config.json must have at most 4194304 bytes, but has 5242880");
    }
  }

  @Test
  void rejects_weights_that_are_not_quantized_as_the_config_says() throws Exception {
    save(TestModels.tiny());
    edit(json -> json.replace("\"properties\"", "\"quantization\": \"int8\", \"properties\""));
    assertRefused(WEIGHTS, "encoder.weight of type F32 (must be I8)");
    assertRefused(WEIGHTS, "missing: [encoder.weight.scales, ");
    edit(json -> json.replace("\"int8\"", "\"int4\""));
    assertRefused(
        CONFIG, "its quantization must be int8, or missing for weights of floating point");
  }

  @Test
  void rejects_quantized_weights_without_a_config_that_says_so() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      SHARNN.of(model).quantize();
      model.save(folder, "tiny");
    }
    edit(json -> json.replace("  \"quantization\": \"int8\",\n", ""));
    assertRefused(WEIGHTS, "must hold weights of one type, F64, F32 or F16, but holds [F32, I8]");
  }
}
