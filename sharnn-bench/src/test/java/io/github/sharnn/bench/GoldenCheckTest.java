package io.github.sharnn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.train.step.SoleTraining;
import java.io.OutputStream;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GoldenCheckTest {

  static Path golden(String name) throws URISyntaxException {
    return Path.of(GoldenCheckTest.class.getResource("/golden/" + name).toURI());
  }

  @ParameterizedTest
  @CsvSource({
    "single-head, 7",
    "every-layer, 7",
    "no-attention, 6",
    "split-softmax, 7",
    "sampling, 1"
  })
  void passes_on_the_reference_numbers(String name, int kinds) throws Exception {
    GoldenReport report = GoldenCheck.run(golden(name), null);
    assertThat(report.worst())
        .allSatisfy(m -> assertThat(m.error()).as("%s", m).isLessThanOrEqualTo(m.tolerance()));
    assertThat(report.worst()).hasSize(kinds);
    assertThat(report.passed()).isTrue();
  }

  /** A golden folder's files, with one of the expected tensors changed. */
  private static void copyWithChange(Path folder, String tensor, Consumer<NDArray> change)
      throws Exception {
    for (String file : new String[] {"config.json", "model.safetensors"}) {
      Files.copy(golden("single-head").resolve(file), folder.resolve(file));
    }
    try (NDManager manager = NDManager.newBaseManager();
        OutputStream out = Files.newOutputStream(folder.resolve("expected.safetensors"))) {
      Map<String, NDArray> expected =
          SafetensorsWeights.readTensors(
              manager, golden("single-head").resolve("expected.safetensors"));
      change.accept(expected.get(tensor));
      new NDList(expected.values()).encode(out, NDList.Encoding.SAFETENSORS);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "eval.2.output, output",
    "eval.0.loss, loss",
    "eval.3.memory.2, state",
    "train.1.grad.blocks.2.attn.vq.l1.weight, gradient",
    "train.2.grad_norm, clipped norm",
    "train.3.param.blocks.0.rnn.bias_hh_l0, parameter",
    "collapsed.vs.2, collapsed scale"
  })
  void names_the_tensor_that_differs(String tensor, String kind, @TempDir Path folder)
      throws Exception {
    copyWithChange(folder, tensor, array -> array.muli(1.001f));
    GoldenReport report = GoldenCheck.run(folder, null);
    assertThat(report.passed()).isFalse();
    assertThat(report.worst().stream().filter(m -> !m.passed()))
        .singleElement()
        .satisfies(
            m -> {
              assertThat(m.tensor()).isEqualTo(tensor);
              assertThat(m.kind()).isEqualTo(kind);
            });
  }

  @Test
  void allows_a_gpu_ten_times_as_much() {
    assertThat(GoldenCheck.tolerance("output", Device.cpu())).isEqualTo(1e-5);
    assertThat(GoldenCheck.tolerance("gradient", Device.cpu())).isEqualTo(1e-4);
    assertThat(GoldenCheck.tolerance("output", Device.gpu())).isEqualTo(1e-4);
    assertThat(GoldenCheck.tolerance("gradient", Device.gpu())).isEqualTo(1e-3);
  }

  @Test
  void refuses_a_folder_without_numbers(@TempDir Path folder) {
    assertThatThrownBy(() -> GoldenCheck.run(folder, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no expected.safetensors");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"vocabSize\": 29 | \"vocabSize\": 2000000000 | but model.safetensors has at most 34066",
        "\"layers\": 4 | \"layers\": 999 | but model.safetensors has at most 34066",
        "\"vocabSize\": 29 | \"vocabSize\": 5 | does not fit the model",
        "\"batchSize\": 3 | \"batchSize\": 0 | batchSize in",
        "\"batchSize\": 3 | \"batchSize\": 1000000000 | must be whole numbers of shape (time, 1000000000)",
        "\"memoryLength\": 18 | \"memoryLength\": 2000000000 | but a check has at most 4194304",
        "\"segments\": 4 | \"segments\": 2000000000 | has no tensor eval.4.input",
        "\"name\": \"lamb\" | \"name\": null | must be lamb",
        "\"layers\": 4 | \"layers\": [] | is not valid JSON"
      })
  void names_what_is_wrong_with_a_config(
      String good, String bad, String message, @TempDir Path folder) throws Exception {
    for (String file : new String[] {"expected.safetensors", "model.safetensors"}) {
      Files.copy(golden("single-head").resolve(file), folder.resolve(file));
    }
    String json = Files.readString(golden("single-head").resolve("config.json"));
    assertThat(json).contains(good);
    Files.writeString(folder.resolve("config.json"), json.replace(good, bad));
    assertThatThrownBy(() -> GoldenCheck.run(folder, null))
        .isInstanceOfAny(IllegalArgumentException.class, MalformedModelException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource({
    "eval.0.input, 29, but has 29",
    "eval.1.input, -1, but has -1",
    "eval.2.target, 9223372036854775807, but has 9223372036854775807"
  })
  void gives_native_code_no_token_outside_the_vocabulary(
      String tensor, long token, String message, @TempDir Path folder) throws Exception {
    copyWithChange(
        folder, tensor, array -> array.set(new NDIndex("2, 1"), array.getManager().create(token)));
    assertThatThrownBy(() -> GoldenCheck.run(folder, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(tensor + " must lie between 0 and vocabSize - 1 (28)")
        .hasMessageContaining(message);
  }

  @Test
  void holds_a_nan_for_the_worst_error(@TempDir Path folder) {
    GoldenReport.Builder builder = new GoldenReport.Builder();
    builder.add(new GoldenReport.Measure("loss", "a", Double.NaN, 1));
    builder.add(new GoldenReport.Measure("loss", "b", 0, 1));
    assertThat(builder.build().passed()).isFalse();
  }

  @Test
  void is_refused_while_another_model_is_trained() {
    SoleTraining.begin("first");
    try {
      assertThatThrownBy(() -> GoldenCheck.run(golden("single-head"), null))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("while fit trains model first on thread");
    } finally {
      SoleTraining.end();
    }
  }
}
