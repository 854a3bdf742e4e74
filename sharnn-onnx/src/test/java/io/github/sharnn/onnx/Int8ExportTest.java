package io.github.sharnn.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Int8ExportTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {"single-head", "projections", "second-linear", "split-softmax", "split-untied"})
  void computes_nearly_what_the_model_does(String name) throws Exception {
    try (Model model = TestModels.model(name)) {
      NDManager manager = model.getNDManager();
      SHARNN block = SHARNN.of(model);
      int vocabulary = block.config().vocabularySize();
      Path file = folder.resolve("int8.onnx");
      OnnxExport.writeInt8(model, file);
      SHARNNState state = block.zeroState(manager, 2);
      double error = 0;
      double size = 0;
      try (OrtModel onnx = new OrtModel(file, 2)) {
        for (int segment = 0; segment < 5; segment++) {
          long[] ids = new Random(segment).longs(14, 0, vocabulary).toArray();
          NDArray tokens = manager.create(ids, new Shape(2, 7));
          SHARNN.Output exact =
              block.forward(new ParameterStore(manager, false), tokens, state, false);
          state = exact.state();
          NDArray difference = onnx.logits(tokens).sub(exact.logits());
          error += difference.pow(2).sum().getFloat();
          size += exact.logits().pow(2).sum().getFloat();
        }
      }
      assertThat(Math.sqrt(error / size)).isBetween(1e-6, 0.03);
    }
  }

  @Test
  void holds_one_operator_of_onnx_runtime_and_matrices_in_8_bits() throws Exception {
    try (Model model = TestModels.golden("every-layer")) {
      Path file = folder.resolve("int8.onnx");
      OnnxExport.writeInt8(model, file);
      ModelProto proto;
      try (InputStream in = Files.newInputStream(file)) {
        proto = ModelProto.parseFrom(in);
      }
      assertThat(proto.getOpsetImportList())
          .extracting(o -> o.getDomain() + " " + o.getVersion())
          .containsExactlyInAnyOrder(" 17", "com.microsoft 1");
      GraphProto graph = proto.getGraph();
      Map<String, List<NodeProto>> operators =
          graph.getNodeList().stream().collect(Collectors.groupingBy(NodeProto::getDomain));
      assertThat(operators.get("com.microsoft"))
          .hasSize(4)
          .allMatch(node -> node.getOpType().equals("DynamicQuantizeLSTM"));
      assertThat(graph.getInitializerList())
          .extracting(TensorProto::getName)
          .doesNotHaveDuplicates();
      assertThat(graph.getInitializerList())
          .filteredOn(t -> t.getDataType() == TensorProto.DataType.FLOAT.getNumber())
          .allMatch(t -> t.getDimsCount() < 2 || t.getDims(0) == 1);
    }
  }

  /** Returns all weights but the scale of values, which is the product with a rounded matrix. */
  private static List<TensorProto> weights(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return ModelProto.parseFrom(in).getGraph().getInitializerList().stream()
          .filter(weight -> !weight.getName().endsWith("attn.vs"))
          .toList();
    }
  }

  @Test
  void writes_a_quantized_model_as_the_model_before() throws Exception {
    try (Model model = TestModels.model("projections")) {
      Path first = folder.resolve("first.onnx");
      Path second = folder.resolve("second.onnx");
      OnnxExport.writeInt8(model, first);
      SHARNN.of(model).quantize();
      OnnxExport.writeInt8(model, second);
      assertThat(SHARNN.of(model).embedding.getArray().getDataType()).isEqualTo(DataType.FLOAT32);
      assertThat(weights(second)).isEqualTo(weights(first));
    }
  }
}
