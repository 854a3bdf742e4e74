package io.github.sharnn.onnx;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.StreamSupport;

/** The golden models, and others of their size for the options that those leave out. */
public final class TestModels {

  static final Path GOLDEN = Path.of("../sharnn-core/src/test/resources/golden");

  private TestModels() {}

  public static SHARNNConfig.Builder tiny() {
    return SHARNN
        .builder()
        .vocabularySize(29)
        .embeddingSize(16)
        .boomSize(64)
        .layers(3)
        .memoryLength(18)
        .dropouts(0);
  }

  static Model model(String name) throws Exception {
    return switch (name) {
      case "projections" ->
          random(tiny().keyProjection(true).valueProjection(true).tiedOutput(false));
      case "second-linear" -> random(tiny().attentionLayers(0, 2).boomShortcut(false));
      case "split-untied" -> random(tiny().splits(1, 9, 28).tiedOutput(false));
      default -> golden(name);
    };
  }

  /** A model in which no scale, bias or norm is at its first value. */
  private static Model random(SHARNNConfig.Builder builder) {
    Model model = builder.build().newModel("random", Device.cpu());
    NDManager manager = model.getNDManager();
    SHARNN.of(model).initialize(manager, DataType.FLOAT32, new Shape(1, 1));
    Random random = new Random(5);
    for (Parameter parameter : SHARNN.of(model).getParameters().values()) {
      double mean = parameter.getType() == Parameter.Type.GAMMA ? 1 : 0;
      Shape shape = parameter.getShape();
      double[] values = random.doubles(shape.size()).map(u -> mean + 0.8 * (u - 0.5)).toArray();
      try (NDArray alias = parameter.getArray().stopGradient();
          NDArray array = manager.create(values, shape).toType(DataType.FLOAT32, false)) {
        alias.set(new NDIndex("..."), array);
      }
    }
    return model;
  }

  static Model golden(String name) throws Exception {
    Path source = GOLDEN.resolve(name);
    JsonObject json =
        JsonParser.parseString(Files.readString(source.resolve("config.json"))).getAsJsonObject();
    SHARNNConfig config =
        tiny()
            .vocabularySize(json.get("vocabSize").getAsInt())
            .boomSize(json.get("hiddenSize").getAsInt())
            .splits(json.has("splits") ? ints(json, "splits") : new int[0])
            .layers(json.get("layers").getAsInt())
            .attentionLayers(ints(json, "attentionLayers"))
            .config();
    SHARNN block = SHARNN.of(config);
    Model model = block.newModel(name, Device.cpu());
    SafetensorsWeights.read(block, model.getNDManager(), source.resolve("model.safetensors"));
    return model;
  }

  public static NDArray tokens(
      NDManager manager, Random random, int batch, int time, int vocabulary) {
    long[] values = random.longs((long) batch * time, 0, vocabulary).toArray();
    return manager.create(values, new Shape(batch, time));
  }

  private static int[] ints(JsonObject json, String name) {
    return StreamSupport.stream(json.getAsJsonArray(name).spliterator(), false)
        .mapToInt(e -> e.getAsInt())
        .toArray();
  }
}
