package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsWeightsTest {

  private final NDManager manager = NDManager.newBaseManager();
  @TempDir private Path folder;
  private Path file;

  static IntStream seeds() {
    return IntStream.range(0, 20);
  }

  @BeforeEach
  void nameTheFile() {
    file = folder.resolve("model.safetensors");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void changes_no_logit_on_the_way_through_a_file(int seed) throws Exception {
    SHARNN model = TestModels.initialized(TestModels.vary(seed), manager, seed);
    checkRoundTrip(model);
    checkRoundTrip(model.collapse(manager));
  }

  private void checkRoundTrip(SHARNN model) throws Exception {
    NDArray tokens = TestModels.tokens(manager, new Random(1), 2, 9);
    NDArray expected = TestModels.logits(model, manager, tokens);
    SafetensorsWeights.write(model, file);
    SHARNN uninitialized = SHARNN.of(model.config());
    SafetensorsWeights.read(uninitialized, manager, file);
    NDArrayAssert.assertThat(TestModels.logits(uninitialized, manager, tokens)).isExactly(expected);
    SHARNN other = SHARNN.of(model.config());
    other.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
    SafetensorsWeights.read(other, manager, file);
    NDArrayAssert.assertThat(TestModels.logits(other, manager, tokens)).isExactly(expected);
  }

  @Test
  void writes_the_references_names_and_leaves_the_parameters_theirs() throws Exception {
    SHARNN model =
        TestModels.initialized(
            TestModels.tiny().layers(2).attentionLayers(0).keyProjection(true).tiedOutput(false),
            manager,
            1);
    SafetensorsWeights.write(model, file);
    assertThat(SafetensorsWeights.readTensors(manager, file).keySet())
        .containsExactlyInAnyOrder(
            "encoder.weight",
            "decoder.weight",
            "decoder.bias",
            "blocks.0.lnstart.weight",
            "blocks.0.lnstart.bias",
            "blocks.0.rnn.weight_ih_l0",
            "blocks.0.rnn.weight_hh_l0",
            "blocks.0.rnn.bias_ih_l0",
            "blocks.0.rnn.bias_hh_l0",
            "blocks.0.lnmem.weight",
            "blocks.0.lnmem.bias",
            "blocks.0.lnmid.weight",
            "blocks.0.lnmid.bias",
            "blocks.0.attn.qs",
            "blocks.0.attn.ks",
            "blocks.0.attn.vs",
            "blocks.0.attn.q.weight",
            "blocks.0.attn.q.bias",
            "blocks.0.attn.qln.weight",
            "blocks.0.attn.qln.bias",
            "blocks.0.attn.k.weight",
            "blocks.0.attn.k.bias",
            "blocks.0.attn.vq.l1.weight",
            "blocks.0.attn.vq.l1.bias",
            "blocks.0.lnxff.weight",
            "blocks.0.lnxff.bias",
            "blocks.0.lnff.weight",
            "blocks.0.lnff.bias",
            "blocks.0.ff.linear1.weight",
            "blocks.0.ff.linear1.bias",
            "blocks.1.lnstart.weight",
            "blocks.1.lnstart.bias",
            "blocks.1.rnn.weight_ih_l0",
            "blocks.1.rnn.weight_hh_l0",
            "blocks.1.rnn.bias_ih_l0",
            "blocks.1.rnn.bias_hh_l0",
            "blocks.1.lnxff.weight",
            "blocks.1.lnxff.bias",
            "blocks.1.lnff.weight",
            "blocks.1.lnff.bias",
            "blocks.1.ff.linear1.weight",
            "blocks.1.ff.linear1.bias");
    assertThat(model.embedding.getArray().getName()).isEqualTo("embedding");
    assertThat(SafetensorsWeights.names(model).values())
        .containsExactlyInAnyOrderElementsOf(model.getParameters().values());
  }

  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT16", "FLOAT64"})
  void reads_other_floating_types(DataType dataType) throws Exception {
    SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
    Map<String, NDArray> tensors = tensorsOf(model);
    tensors.replaceAll((name, tensor) -> tensor.toType(dataType, true));
    write(tensors);
    SHARNN read = TestModels.tiny().build();
    SafetensorsWeights.read(read, manager, file);
    SafetensorsWeights.names(read)
        .forEach(
            (name, parameter) ->
                NDArrayAssert.assertThat(parameter.getArray())
                    .isExactly(tensors.get(name).toType(DataType.FLOAT32, true)));
  }

  @Test
  void reads_into_a_model_of_another_floating_type() throws Exception {
    SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
    SafetensorsWeights.write(model, file);
    SHARNN read = TestModels.tiny().build();
    read.initialize(manager, DataType.FLOAT64, new Shape(1, 1));
    SafetensorsWeights.read(read, manager, file);
    assertThat(read.embedding.getArray().getDataType()).isEqualTo(DataType.FLOAT64);
    NDArrayAssert.assertThat(read.embedding.getArray()).isExactly(model.embedding.getArray());
  }

  @Test
  void passes_over_what_the_reference_never_uses() throws Exception {
    SHARNN model =
        TestModels.initialized(TestModels.tiny().layers(2).attentionLayers(1), manager, 1);
    Map<String, NDArray> tensors = tensorsOf(model);
    for (String unused :
        new String[] {
          "blocks.0.lnout.weight",
          "blocks.0.lnmid.bias",
          "blocks.0.lnmem.weight",
          "blocks.1.attn.qkvs",
          "blocks.1.attn.r_gate"
        }) {
      tensors.put(unused, manager.zeros(new Shape(3)));
    }
    write(tensors);
    SHARNN read = SHARNN.of(model.config());
    SafetensorsWeights.read(read, manager, file);
    NDArrayAssert.assertThat(read.embedding.getArray()).isExactly(model.embedding.getArray());
  }

  @Test
  void lists_every_name_and_shape_that_does_not_fit_and_changes_nothing() throws Exception {
    SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
    Map<String, NDArray> tensors = tensorsOf(model);
    tensors.remove("encoder.weight");
    tensors.remove("blocks.1.attn.qs");
    tensors.put("blocks.7.extra", manager.zeros(new Shape(3)));
    tensors.put("stranger", manager.zeros(new Shape(3)));
    tensors.put("decoder.bias", manager.zeros(new Shape(30)));
    tensors.put("blocks.0.ff.linear1.weight", manager.zeros(new Shape(16, 64)));
    write(tensors);
    SHARNN target = TestModels.initialized(TestModels.tiny(), manager, 2);
    double[] before =
        NaiveSharnn.values(target.blocks.get(0).boom.linear1.getParameters().valueAt(0));

    assertThatThrownBy(() -> SafetensorsWeights.read(target, manager, file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("model.safetensors does not fit the model")
        .hasMessageContaining("missing: [encoder.weight, blocks.1.attn.qs]")
        .hasMessageContaining("unknown: [blocks.7.extra, stranger]")
        .hasMessageContaining("decoder.bias (30) (model: (29))")
        .hasMessageContaining("blocks.0.ff.linear1.weight (16, 64) (model: (64, 16))");
    assertThat(NaiveSharnn.values(target.blocks.get(0).boom.linear1.getParameters().valueAt(0)))
        .isEqualTo(before);
  }

  @Test
  void rejects_weights_that_are_whole_numbers() throws Exception {
    SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
    Map<String, NDArray> tensors = tensorsOf(model);
    tensors.put("decoder.bias", manager.zeros(new Shape(29), DataType.INT32));
    write(tensors);
    assertThatThrownBy(() -> SafetensorsWeights.read(model, manager, file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("types: [decoder.bias of type I32 (must be F64, F32 or F16)]");
  }

  @Test
  void tells_a_collapsed_file_from_a_trained_one() throws Exception {
    SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
    SafetensorsWeights.write(model.collapse(manager), file);
    assertThatThrownBy(() -> SafetensorsWeights.read(model, manager, file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("missing: [blocks.1.attn.vq.l1.weight, blocks.1.attn.vq.l1.bias]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "short", "This is a text and no weights at all.", "{\"a\": 1}"})
  void rejects_a_text(String text) throws Exception {
    Files.writeString(file, text);
    assertNoSafetensors();
  }

  @Test
  void rejects_a_zip() throws Exception {
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      zip.putNextEntry(new ZipEntry("model/data.pkl"));
      zip.write(new byte[100]);
    }
    assertNoSafetensors();
  }

  @Test
  void rejects_a_header_that_is_no_json() throws Exception {
    writeFile("{this is no JSON", new byte[8]);
    assertNoSafetensors();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"a\":{}}",
        "{\"a\":7}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-4,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]}}"
      })
  void rejects_a_header_that_does_not_fit_its_data(String header) throws Exception {
    writeFile(header, new byte[8]);
    assertNoSafetensors();
  }

  @Test
  void rejects_bfloat16_before_the_engine_meets_it() throws Exception {
    writeFile("{\"a\":{\"dtype\": \"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", new byte[4]);
    assertThatThrownBy(() -> SafetensorsWeights.readTensors(manager, file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessage(
            file
                + " is not a readable safetensors file: a has the dtype BF16, which DJL cannot read:"
                + " save it as F32, F16 or F64");
  }

  @Test
  void reads_past_metadata() throws Exception {
    writeFile(
        "{\"__metadata__\":{\"format\":\"pt\"},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        new byte[] {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40});
    Map<String, NDArray> tensors = SafetensorsWeights.readTensors(manager, file);
    assertThat(tensors.keySet()).containsExactly("a");
    assertThat(tensors.get("a").toFloatArray()).containsExactly(1, 2);
  }

  @Test
  void rejects_a_file_cut_anywhere() throws Exception {
    SafetensorsWeights.write(TestModels.initialized(TestModels.tiny(), manager, 1), file);
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {1, 8, 9, 200, bytes.length / 2, bytes.length - 1}) {
      Files.write(file, Arrays.copyOf(bytes, length));
      assertNoSafetensors();
    }
  }

  private void assertNoSafetensors() {
    assertThatThrownBy(() -> SafetensorsWeights.read(TestModels.tiny().build(), manager, file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining(file.toString())
        .hasMessageMatching("(?s).*is not a (readable )?safetensors file: .*")
        .hasMessageNotContaining(": null");
  }

  @Test
  void says_which_file_is_missing() {
    assertThatThrownBy(() -> SafetensorsWeights.read(TestModels.tiny().build(), manager, file))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("model.safetensors");
  }

  @Test
  void writes_only_what_is_initialized() {
    assertThatThrownBy(() -> SafetensorsWeights.write(TestModels.tiny().build(), file))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("a model must be initialized before its weights are written");
  }

  private static Map<String, NDArray> tensorsOf(SHARNN model) {
    Map<String, NDArray> tensors = new LinkedHashMap<>();
    for (Map.Entry<String, Parameter> entry : SafetensorsWeights.names(model).entrySet()) {
      tensors.put(entry.getKey(), entry.getValue().getArray().duplicate());
    }
    return tensors;
  }

  private void write(Map<String, NDArray> tensors) throws IOException {
    NDList list = new NDList();
    tensors.forEach(
        (name, tensor) -> {
          tensor.setName(name);
          list.add(tensor);
        });
    try (OutputStream out = Files.newOutputStream(file)) {
      list.encode(out, NDList.Encoding.SAFETENSORS);
    }
  }

  private void writeFile(String header, byte[] data) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(file, bytes.putLong(json.length).put(json).put(data).array());
  }
}
