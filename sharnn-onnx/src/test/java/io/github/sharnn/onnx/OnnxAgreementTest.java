package io.github.sharnn.onnx;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import io.github.sharnn.AttentionMemory;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.generate.Sampler;
import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** ONNX Runtime's outputs of an exported model, compared with the model and the reference. */
class OnnxAgreementTest {

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
      try (OrtModel onnx = OrtModel.export(model, folder, batch)) {
        for (int segment = 0; expected.containsKey("eval." + segment + ".input"); segment++) {
          String prefix = "eval." + segment + ".";
          NDArray tokens = expected.get(prefix + "input").transpose(); // (T, B) -> (B, T)
          NDArray logits = onnx.logits(tokens);
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
      try (OrtModel onnx = OrtModel.export(model, folder, batch)) {
        for (int segment = 0; segment < 20; segment++) {
          // among the first the window fills step by step; then lengths up to beyond it
          int time = segment < 5 ? 3 : 1 + random.nextInt(window + 4);
          NDArray tokens =
              TestModels.tokens(manager, random, batch, time, block.config().vocabularySize());
          cases.add(fill(state, time, window));
          SHARNN.Output output = block.forward(parameterStore, tokens, state, false);
          state = output.state();
          assertClose(onnx.logits(tokens), output.logits());
          assertSame(onnx, state, manager);
        }
      }
      if (!block.config().attentionLayers().isEmpty()) {
        assertThat(cases).containsExactly("beyond", "empty", "overflowing", "partly full");
      }
    }
  }

  /** Describes the window that a segment sees. */
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
      NDArray first = TestModels.tokens(manager, new Random(1), 2, 11, 29);
      NDArray second = TestModels.tokens(manager, new Random(2), 2, 4, 29);
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
      try (OrtModel onnx = OrtModel.export(model, folder, 2)) {
        onnx.logits(first);
        onnx.state.replaceAll(
            (name, values) ->
                name.startsWith("memory.")
                    ? values(new AttentionMemory(values.in(manager)).last(kept).positions())
                    : values);
        assertClose(onnx.logits(second), output.logits());
        assertSame(onnx, output.state(), manager);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"single-head", "projections"})
  void reads_a_token_after_a_memory_in_any_order(String name) throws Exception {
    try (Model model = TestModels.model(name)) {
      SHARNN block = SHARNN.of(model);
      NDManager manager = model.getNDManager();
      int window = block.config().memoryLength();
      int vocabulary = block.config().vocabularySize();
      ParameterStore parameterStore = new ParameterStore(manager, false);
      NDArray text = TestModels.tokens(manager, new Random(3), 2, window + 5, vocabulary);
      NDArray token = TestModels.tokens(manager, new Random(4), 2, 1, vocabulary);
      SHARNNState state =
          block.forward(parameterStore, text, block.zeroState(manager, 2), false).state();
      NDArray expected = block.forward(parameterStore, token, state, false).logits();
      try (OrtModel onnx = OrtModel.export(model, folder, 2)) {
        onnx.logits(text);
        onnx.state.replaceAll(
            (key, values) -> {
              if (!key.startsWith("memory.")) {
                return values;
              }
              NDArray seen = new AttentionMemory(values.in(manager)).last(window - 1).positions();
              NDArray first = seen.get(":, :4"); // the oldest get the newest places
              return values(seen.get(":, 4:").concat(first, 1));
            });
        assertClose(onnx.logits(token), expected);
      }
    }
  }

  @Test
  void takes_a_model_whose_attention_was_dropped() throws Exception {
    try (Model model = TestModels.model("every-layer");
        Model small = SHARNN.of(model).withoutAttention().newModel("small");
        OrtModel onnx = OrtModel.export(small, folder, 2)) {
      SHARNN block = SHARNN.of(small);
      NDManager manager = small.getNDManager();
      NDArray tokens =
          TestModels.tokens(manager, new Random(5), 2, 6, block.config().vocabularySize());
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNN.Output output =
          block.forward(parameterStore, tokens, block.zeroState(manager, 2), false);
      assertClose(onnx.logits(tokens), output.logits());
      assertSame(onnx, output.state(), manager);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"single-head", "every-layer", "no-attention", "split-softmax"})
  void generates_the_same_64_tokens(String name) throws Exception {
    byte[] prompt = {3, 14, 15, 9, 2, 6};
    try (Model model = TestModels.golden(name);
        OrtModel onnx = OrtModel.export(model, folder, 1)) {
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
}
