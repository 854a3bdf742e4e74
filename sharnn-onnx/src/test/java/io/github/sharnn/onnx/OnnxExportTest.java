package io.github.sharnn.onnx;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Blocks;
import ai.djl.training.ParameterStore;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.sharnn.AttentionMemory;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.generate.Sampler;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What ONNX Runtime makes of an exported model, against the model itself and the reference. */
class OnnxExportTest {

  private static final double TOLERANCE = 1e-5; // a tenth of what issue 5 allows

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"single-head", "every-layer", "no-attention"})
  void agrees_with_the_reference(String name) throws Exception {
    try (Model model = TestModels.golden(name)) {
      NDManager manager = model.getNDManager();
      Map<String, NDArray> expected =
          SafetensorsWeights.readTensors(
              manager, TestModels.GOLDEN.resolve(name).resolve("expected.safetensors"));
      int batch = (int) expected.get("eval.0.input").size(1);
      try (OrtModel onnx = export(model, batch)) {
        for (int segment = 0; expected.containsKey("eval." + segment + ".input"); segment++) {
          String prefix = "eval." + segment + ".";
          NDArray tokens = expected.get(prefix + "input").transpose(); // (T, B) -> (B, T)
          NDArray logits = run(onnx, tokens);
          assertClose(logits.swapAxes(0, 1), expected.get(prefix + "logits"));
          onnx.state.forEach(
              (key, values) -> {
                String layer = key.substring(key.indexOf('.') + 1);
                NDArray actual = values.in(manager);
                switch (key.substring(0, key.indexOf('.'))) {
                  case "hidden" ->
                      assertClose(
                          actual.expandDims(0), expected.get(prefix + "hidden." + layer + ".h"));
                  case "cell" ->
                      assertClose(
                          actual.expandDims(0), expected.get(prefix + "hidden." + layer + ".c"));
                  default ->
                      assertClose(actual.swapAxes(0, 1), expected.get(prefix + "memory." + layer));
                }
              });
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "single-head",
        "every-layer",
        "no-attention",
        "projections",
        "second-linear",
        "split-softmax",
        "split-untied"
      })
  void carries_its_state_over_20_segments_as_the_model_does(String name) throws Exception {
    try (Model model = TestModels.model(name)) {
      SHARNN block = SHARNN.of(model);
      NDManager manager = model.getNDManager();
      Random random = new Random(7);
      int batch = 1 + random.nextInt(3);
      int window = block.config().memoryLength();
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNNState state = block.zeroState(manager, batch);
      Set<String> cases = new TreeSet<>();
      try (OrtModel onnx = export(model, batch)) {
        for (int segment = 0; segment < 20; segment++) {
          // among the first the window fills step by step; then lengths up to beyond it
          int time = segment < 5 ? 3 : 1 + random.nextInt(window + 4);
          NDArray tokens = tokens(manager, random, batch, time, block.config().vocabularySize());
          cases.add(fill(state, time, window));
          SHARNN.Output output = block.forward(parameterStore, tokens, state, false);
          state = output.state();
          assertClose(run(onnx, tokens), output.logits());
          assertSame(onnx, state, manager);
        }
      }
      if (!block.config().attentionLayers().isEmpty()) {
        assertThat(cases).containsExactly("beyond", "empty", "overflowing", "partly full");
      }
    }
  }

  /** What the window looks like to a segment. */
  private static String fill(SHARNNState state, int time, int window) {
    int length =
        state.layers().stream()
            .filter(layer -> layer.memory() != null)
            .mapToInt(layer -> layer.memory().length())
            .findFirst()
            .orElse(0);
    if (time > window) {
      return "beyond";
    }
    if (length == 0) {
      return "empty";
    }
    return length + time > window ? "overflowing" : "partly full";
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 1, 0})
  void takes_a_memory_that_its_caller_has_shortened(int kept) throws Exception {
    try (Model model = TestModels.golden("every-layer")) {
      SHARNN block = SHARNN.of(model);
      NDManager manager = model.getNDManager();
      ParameterStore parameterStore = new ParameterStore(manager, false);
      NDArray first = tokens(manager, new Random(1), 2, 11, 29);
      NDArray second = tokens(manager, new Random(2), 2, 4, 29);
      SHARNNState state =
          block.forward(parameterStore, first, block.zeroState(manager, 2), false).state();
      SHARNNState shorter =
          new SHARNNState(
              state.layers().stream()
                  .map(
                      layer ->
                          new SHARNNState.Layer(
                              layer.hidden(), layer.cell(), layer.memory().last(kept)))
                  .toList());
      SHARNN.Output output = block.forward(parameterStore, second, shorter, false);
      try (OrtModel onnx = export(model, 2)) {
        run(onnx, first);
        onnx.state.replaceAll(
            (name, values) ->
                name.startsWith("memory.")
                    ? values(new AttentionMemory(values.in(manager)).last(kept).positions())
                    : values);
        assertClose(run(onnx, second), output.logits());
        assertSame(onnx, output.state(), manager);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"single-head", "every-layer", "no-attention", "split-softmax"})
  void generates_the_same_64_tokens(String name) throws Exception {
    byte[] prompt = {3, 14, 15, 9, 2, 6};
    try (Model model = TestModels.golden(name);
        OrtModel onnx = export(model, 1)) {
      ByteArrayOutputStream ours = new ByteArrayOutputStream();
      SHARNNGenerator.builder(model)
          .length(64)
          .seed(11)
          .temperature(3)
          .topP(0.95f)
          .build()
          .generate(prompt, ours::write);

      ByteArrayOutputStream theirs = new ByteArrayOutputStream();
      Sampler sampler = new Sampler(3, 0, 0.95f);
      SplittableRandom random = new SplittableRandom(11);
      long[] tokens = new long[prompt.length];
      for (int i = 0; i < prompt.length; i++) {
        tokens[i] = prompt[i];
      }
      for (int i = 0; i < 64; i++) {
        OrtModel.Values logits = onnx.logits(tokens, 1);
        int size = (int) logits.shape()[2];
        float[] last = new float[size];
        System.arraycopy(logits.data(), logits.data().length - size, last, 0, size);
        tokens = new long[] {sampler.sample(last, random)};
        theirs.write((int) tokens[0]);
      }
      assertThat(theirs.toByteArray()).hasSize(64).isEqualTo(ours.toByteArray());
      assertThat(ours.toString(ISO_8859_1).chars().distinct().count()).isGreaterThan(8);
    }
  }

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
          .startsWith("logits", "next.hidden.0", "next.cell.0", "next.memory.0", "next.hidden.1");
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
            .containsEntry(SHARNN.CONFIG_PROPERTY, SHARNN.of(model).config().toJson());
      }
    }
  }

  @Test
  void takes_a_model_whose_attention_was_dropped() throws Exception {
    try (Model model = TestModels.model("every-layer");
        Model small = SHARNN.of(model).withoutAttention().newModel("small");
        OrtModel onnx = export(small, 2)) {
      SHARNN block = SHARNN.of(small);
      NDManager manager = small.getNDManager();
      NDArray tokens = tokens(manager, new Random(5), 2, 6, block.config().vocabularySize());
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNN.Output output =
          block.forward(parameterStore, tokens, block.zeroState(manager, 2), false);
      assertClose(run(onnx, tokens), output.logits());
      assertSame(onnx, output.state(), manager);
    }
  }

  @Test
  void leaves_the_model_as_it_is_and_takes_a_collapsed_one() throws Exception {
    try (Model model = TestModels.golden("every-layer")) {
      SHARNN block = SHARNN.of(model);
      long parameters = block.parameterCount();
      NDManager manager = model.getNDManager();
      NDArray tokens = tokens(manager, new Random(1), 1, 9, 29);
      NDArray logits;
      try (OrtModel onnx = export(model, 1)) {
        logits = run(onnx, tokens);
      }
      assertThat(block.parameterCount()).isEqualTo(parameters);
      Model collapsed = block.collapse(manager).newModel("collapsed", Device.cpu());
      try (collapsed;
          OrtModel onnx = export(collapsed, 1)) {
        assertThat(run(onnx, tokens).toFloatArray()).isEqualTo(logits.toFloatArray());
      }
    }
  }

  @Test
  void writes_float16_weights_as_float32() throws Exception {
    try (Model model = SHARNN.of(TestModels.tiny().config()).newModel("half", Device.cpu())) {
      SHARNN.of(model).initialize(model.getNDManager(), DataType.FLOAT16, new Shape(1, 1));
      try (OrtModel onnx = export(model, 1)) {
        NDArray tokens = tokens(model.getNDManager(), new Random(1), 1, 9, 29);
        assertThat(run(onnx, tokens).getShape()).isEqualTo(new Shape(1, 9, 29));
      }
    }
  }

  @Test
  void refuses_what_it_cannot_write() {
    Path file = folder.resolve("model.onnx");
    try (Model model = TestModels.tiny().build().newModel("raw", Device.cpu())) {
      assertThatIllegalStateException()
          .isThrownBy(() -> OnnxExport.write(model, file))
          .withMessageContaining("model raw must have weights before it is exported");
      model.setBlock(Blocks.identityBlock());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> OnnxExport.write(model, file))
          .withMessageContaining("must hold a SHARNN block");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxExport.checkSize(600_000_000))
        .withMessageContaining("at most 2 GiB", "600000000");
    OnnxExport.checkSize(500_000_000);
    assertThat(file).doesNotExist();
  }

  private OrtModel export(Model model, int batch) throws Exception {
    Path file = folder.resolve("export.onnx");
    OnnxExport.write(model, file);
    return new OrtModel(file, batch);
  }

  private static NDArray run(OrtModel onnx, NDArray tokens) throws Exception {
    NDManager manager = tokens.getManager();
    long[] values = tokens.toType(DataType.INT64, false).toLongArray();
    return onnx.logits(values, tokens.size(0)).in(manager);
  }

  private static void assertSame(OrtModel onnx, SHARNNState state, NDManager manager) {
    NDList expected = state.toNDList();
    List<OrtModel.Values> actual = new ArrayList<>(onnx.state.values());
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < actual.size(); i++) {
      assertClose(actual.get(i).in(manager), expected.get(i));
    }
  }

  private static OrtModel.Values values(NDArray array) {
    return new OrtModel.Values(array.toFloatArray(), array.getShape().getShape());
  }

  /** {@code ||actual - expected|| / ||expected||} in double precision. */
  private static void assertClose(NDArray actual, NDArray expected) {
    assertThat(actual.getShape()).isEqualTo(expected.getShape());
    float[] a = actual.toType(DataType.FLOAT32, false).toFloatArray();
    float[] e = expected.toType(DataType.FLOAT32, false).toFloatArray();
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < a.length; i++) {
      difference += ((double) a[i] - e[i]) * ((double) a[i] - e[i]);
      norm += (double) e[i] * e[i];
    }
    double error = norm == 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
    assertThat(error).isLessThanOrEqualTo(TOLERANCE);
  }

  private static NDArray tokens(
      NDManager manager, Random random, int batch, int time, int vocabulary) {
    long[] values = random.longs((long) batch * time, 0, vocabulary).toArray();
    return manager.create(values, new Shape(batch, time));
  }
}
