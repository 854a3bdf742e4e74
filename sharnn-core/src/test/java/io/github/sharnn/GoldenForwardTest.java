package io.github.sharnn;

import static io.github.sharnn.NDArrayAssert.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Outputs, logits and states against the reference's numbers (float64, see golden/README.md). */
class GoldenForwardTest {

  @ParameterizedTest
  @ValueSource(strings = {"single-head", "every-layer", "no-attention", "split-softmax"})
  void carries_state_through_segments_as_the_reference_does(String name) throws Exception {
    Path folder = Path.of("src/test/resources/golden", name);
    JsonObject json =
        JsonParser.parseString(Files.readString(folder.resolve("config.json"))).getAsJsonObject();
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model =
          SHARNN
              .builder()
              .vocabularySize(json.get("vocabSize").getAsInt())
              .embeddingSize(json.get("embeddingSize").getAsInt())
              .boomSize(json.get("hiddenSize").getAsInt())
              .layers(json.get("layers").getAsInt())
              .attentionLayers(
                  StreamSupport.stream(json.getAsJsonArray("attentionLayers").spliterator(), false)
                      .mapToInt(e -> e.getAsInt())
                      .toArray())
              .memoryLength(json.get("memoryLength").getAsInt())
              .dropouts(0)
              .splits(
                  json.has("splits")
                      ? StreamSupport.stream(json.getAsJsonArray("splits").spliterator(), false)
                          .mapToInt(e -> e.getAsInt())
                          .toArray()
                      : new int[0])
              .build();
      SafetensorsWeights.read(model, manager, folder.resolve("model.safetensors"));
      Map<String, NDArray> expected =
          SafetensorsWeights.readTensors(manager, folder.resolve("expected.safetensors"));
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNNState state =
          SHARNNState.zeros(
              model.config(), manager, json.get("batchSize").getAsInt(), DataType.FLOAT32);
      for (int segment = 0; segment < json.get("segments").getAsInt(); segment++) {
        String prefix = "eval." + segment + ".";
        SHARNN.Output output =
            model.forward(parameterStore, expected.get(prefix + "input").transpose(), state, false);
        assertThat(output.output().swapAxes(0, 1)).isCloseTo(expected.get(prefix + "output"), 1e-5);
        NDArray logits = expected.get(prefix + "logits"); // (T, B, V)
        if (model.config().hasSplits()) { // in the file before any softmax
          logits = logProbabilities(model, expected.get(prefix + "output"), logits);
        }
        assertThat(output.logits().swapAxes(0, 1)).isCloseTo(logits, 1e-5);
        state = output.state();
        for (int layer : IntStream.range(0, model.config().layers()).toArray()) {
          SHARNNState.Layer s = state.layers().get(layer);
          assertThat(s.hidden().expandDims(0))
              .isCloseTo(expected.get(prefix + "hidden." + layer + ".h"), 1e-5);
          assertThat(s.cell().expandDims(0))
              .isCloseTo(expected.get(prefix + "hidden." + layer + ".c"), 1e-5);
          if (s.memory() != null) {
            assertThat(s.memory().positions().swapAxes(0, 1))
                .isCloseTo(expected.get(prefix + "memory." + layer), 1e-5);
          }
        }
      }
    }
  }

  private static NDArray logProbabilities(SHARNN model, NDArray h, NDArray logits) {
    double[][][] vectors = NaiveSharnn.streams(h);
    double[][][] rows = NaiveSharnn.streams(logits);
    double[] all =
        IntStream.range(0, rows.length)
            .mapToObj(t -> NaiveSharnn.logProbabilities(model, vectors[t], rows[t]))
            .flatMap(Arrays::stream)
            .flatMapToDouble(Arrays::stream)
            .toArray();
    return logits.getManager().create(all, logits.getShape());
  }
}
