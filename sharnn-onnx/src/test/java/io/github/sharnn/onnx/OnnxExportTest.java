package io.github.sharnn.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Blocks;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.sharnn.SHARNN;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The content of the exported file. */
class OnnxExportTest {

  @TempDir private Path folder;

  @Test
  void holds_standard_operators_and_collapsed_weights_alone() throws Exception {
    try (Model model = TestModels.golden("every-layer")) {
      Path file = folder.resolve("model.onnx");
      OnnxExport.write(model, file);
      ModelProto proto;
      try (InputStream in = Files.newInputStream(file)) {
        proto = ModelProto.parseFrom(in);
      }
      assertThat(proto.getOpsetImportList()).singleElement().returns("", o -> o.getDomain());
      assertThat(proto.getOpsetImport(0).getVersion()).isEqualTo(17);
      GraphProto graph = proto.getGraph();
      assertThat(graph.getInputList())
          .extracting(ValueInfoProto::getName)
          .startsWith("tokens", "hidden.0", "cell.0", "memory.0", "hidden.1");
      assertThat(graph.getOutputList())
          .extracting(ValueInfoProto::getName)
          .startsWith("logits", "next.hidden.0", "next.cell.0", "added.memory.0", "next.hidden.1");
      assertThat(graph.getNodeList()).allMatch(node -> node.getDomain().isEmpty());
      Map<String, Long> operators =
          graph.getNodeList().stream()
              .collect(Collectors.groupingBy(NodeProto::getOpType, Collectors.counting()));
      assertThat(operators).containsEntry("LSTM", 4L).containsEntry("LayerNormalization", 24L);
      assertThat(graph.getInitializerList())
          .extracting(TensorProto::getName)
          .contains("encoder.weight", "blocks.3.attn.vs")
          .noneMatch(name -> name.contains("attn.vq"))
          .doesNotHaveDuplicates();
      long weights =
          graph.getInitializerList().stream()
              .filter(t -> t.getDataType() == TensorProto.DataType.FLOAT.getNumber())
              .mapToLong(t -> t.getRawData().size() / Float.BYTES)
              .sum();
      try (NDManager manager = model.getNDManager().newSubManager()) {
        long collapsed = SHARNN.of(model).collapse(manager).parameterCount();
        // two gates of each attention are in its norm's weights; two constants
        assertThat(weights).isEqualTo(collapsed - 4 * 2 * 16 + 2);
      }
      try (OrtModel onnx = new OrtModel(file, 1)) {
        assertThat(onnx.metadata())
            .containsOnly(Map.entry(SHARNN.CONFIG_PROPERTY, SHARNN.of(model).config().toJson()));
      }
    }
  }

  @Test
  void replaces_a_file_and_leaves_nothing_unfinished() throws Exception {
    Path file = Files.writeString(folder.resolve("model.onnx"), "an older one");
    Path taken = Files.createDirectories(folder.resolve("taken/by/a/folder")).getParent();
    try (Model model = TestModels.golden("no-attention")) {
      OnnxExport.write(model, file);
      assertThatThrownBy(() -> OnnxExport.write(model, taken))
          .isInstanceOf(IOException.class)
          .hasMessage(taken + ": is a folder: name the file to write, such as model.onnx in it");
      try (OrtModel onnx = new OrtModel(file, 1)) {
        assertThat(onnx.metadata()).isNotEmpty();
      }
    }
    assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
    assertThat(taken.getParent()).isDirectoryNotContaining("glob:**.tmp");
  }

  @Test
  void has_the_vocabulary_in_the_file() throws Exception {
    WordVocabulary words = WordVocabulary.of(List.of("<eos>", "\u6f22\u5b57", "<unk>", "head"));
    SHARNN block =
        SHARNN.builder().vocabulary(words).embeddingSize(8).boomSize(8).layers(1).build();
    try (Model model = block.newModel("words", Device.cpu())) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      try (OrtModel onnx = OrtModel.export(model, folder, 1)) {
        assertThat(onnx.metadata())
            .containsEntry(TextVocabulary.MODEL_PROPERTY, words.property())
            .containsEntry(
                OnnxExport.VOCABULARY_CONTENT, new String(words.content(), StandardCharsets.UTF_8));
      }
    }
  }

  @Test
  void leaves_the_model_as_it_is_and_takes_a_collapsed_one() throws Exception {
    try (Model model = TestModels.golden("every-layer")) {
      SHARNN block = SHARNN.of(model);
      long parameters = block.parameterCount();
      NDManager manager = model.getNDManager();
      NDArray tokens = TestModels.tokens(manager, new Random(1), 1, 9, 29);
      NDArray logits;
      try (OrtModel onnx = OrtModel.export(model, folder, 1)) {
        logits = onnx.logits(tokens);
      }
      assertThat(block.parameterCount()).isEqualTo(parameters);
      Model collapsed = block.collapse(manager).newModel("collapsed", Device.cpu());
      try (collapsed;
          OrtModel onnx = OrtModel.export(collapsed, folder, 1)) {
        assertThat(onnx.logits(tokens).toFloatArray()).isEqualTo(logits.toFloatArray());
      }
    }
  }

  @Test
  void writes_float16_weights_as_float32() throws Exception {
    try (Model model = SHARNN.of(TestModels.tiny().config()).newModel("half", Device.cpu())) {
      SHARNN.of(model).initialize(model.getNDManager(), DataType.FLOAT16, new Shape(1, 1));
      try (OrtModel onnx = OrtModel.export(model, folder, 1)) {
        NDArray tokens = TestModels.tokens(model.getNDManager(), new Random(1), 1, 9, 29);
        assertThat(onnx.logits(tokens).getShape()).isEqualTo(new Shape(1, 9, 29));
      }
    }
  }

  @Test
  void refuses_what_it_cannot_write() {
    Path file = folder.resolve("model.onnx");
    try (Model model = TestModels.tiny().build().newModel("raw", Device.cpu())) {
      assertThatIllegalStateException()
          .isThrownBy(() -> OnnxExport.write(model, file))
          .withMessageContaining("model raw must have weights: train it");
      model.setBlock(Blocks.identityBlock());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> OnnxExport.write(model, file))
          .withMessageContaining("must hold a SHARNN block");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxExport.checkSize(600_000_000, 0))
        .withMessageContaining("at most 2 GiB", "600000000");
    OnnxExport.checkSize(500_000_000, 0);
    OnnxExport.checkSize(536_000_000, 1_000_000);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxExport.checkSize(536_000_000, 3_000_000));
    assertThat(file).doesNotExist();
  }
}
