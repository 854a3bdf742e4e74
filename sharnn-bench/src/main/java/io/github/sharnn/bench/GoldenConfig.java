package io.github.sharnn.bench;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.tracker.Tracker;
import com.google.common.math.LongMath;
import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.optim.Lamb;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The {@code config.json} of a folder of golden vectors. */
record GoldenConfig(
    int vocabSize,
    int embeddingSize,
    int hiddenSize,
    int layers,
    int[] attentionLayers,
    int memoryLength,
    int batchSize,
    int segments,
    boolean tiedWeights,
    int @Nullable [] splits,
    Optimizer optimizer) {

  private static final long MAX_BYTES = 1 << 20;
  // in one layer: 16 MB, a thousand times the activations of the existing vectors
  private static final long MAX_ACTIVATIONS = 1 << 22;

  /** The settings of the golden {@link Lamb}. */
  record Optimizer(
      String name,
      float learningRate,
      float weightDecay,
      float minTrust,
      float beta1,
      float beta2,
      float epsilon,
      double clipNorm) {

    Lamb lamb() {
      checkArgument("lamb".equals(name), "the golden optimizer must be lamb, but is %s", name);
      return Lamb.builder()
          .optLearningRateTracker(Tracker.fixed(learningRate))
          .optWeightDecays(weightDecay)
          .optMinTrust(minTrust)
          .optBeta1(beta1)
          .optBeta2(beta2)
          .optEpsilon(epsilon)
          .build();
    }
  }

  /** Reads a config, and checks its options and its number of parameters. */
  static GoldenConfig read(Path folder) throws IOException, MalformedModelException {
    Path file = folder.resolve("config.json");
    long bytes = Files.size(file);
    checkArgument(
        bytes <= MAX_BYTES, "%s must have at most %s bytes, but has %s", file, MAX_BYTES, bytes);
    GoldenConfig config;
    try {
      config = new Gson().fromJson(Files.readString(file), GoldenConfig.class);
    } catch (JsonParseException e) {
      throw new MalformedModelException(file + " is not valid JSON", e);
    }
    checkArgument(
        config != null && config.attentionLayers() != null && config.optimizer() != null,
        "%s has no attentionLayers or no optimizer",
        file);
    checkArgument(
        config.batchSize() >= 1,
        "batchSize in %s must be at least 1, but is %s",
        file,
        config.batchSize());
    long weights =
        Files.size(folder.resolve("model.safetensors")) / DataType.FLOAT16.getNumOfBytes();
    checkArgument(
        config.model().parameterCount() <= weights,
        "the model of %s has %s parameters, but model.safetensors has at most %s",
        file,
        config.model().parameterCount(),
        weights);
    return config;
  }

  SHARNNConfig model() {
    return SHARNN
        .builder()
        .vocabularySize(vocabSize)
        .embeddingSize(embeddingSize)
        .boomSize(hiddenSize)
        .layers(layers)
        .attentionLayers(attentionLayers)
        .memoryLength(memoryLength)
        .tiedOutput(tiedWeights)
        .splits(splits == null ? new int[0] : splits)
        .dropouts(0)
        .config();
  }

  /** Checks tokens {@code (T, B)} before native code reads them: their type, shape, size, range. */
  void checkTokens(String name, NDArray tokens) {
    checkArgument(
        tokens.getDataType().isInteger()
            && tokens.getShape().dimension() == 2
            && tokens.size() > 0
            && tokens.size(1) == batchSize,
        "%s must be whole numbers of shape (time, %s), but is %s of %s",
        name,
        batchSize,
        tokens.getDataType(),
        tokens.getShape());
    long width = Math.max((long) vocabSize, hiddenSize) + 8L * embeddingSize;
    long positions = memoryLength + tokens.size(0);
    long activations = LongMath.saturatedMultiply(tokens.size(), width + positions);
    checkArgument(
        activations <= MAX_ACTIVATIONS,
        "%s of shape %s gives a layer %s activations, but a check has at most %s",
        name,
        tokens.getShape(),
        activations,
        MAX_ACTIVATIONS);
    try (NDArray ids = tokens.toType(DataType.INT64, true)) {
      for (long id : ids.toLongArray()) {
        checkArgument(
            id >= 0 && id < vocabSize,
            "%s must lie between 0 and vocabSize - 1 (%s), but has %s",
            name,
            vocabSize - 1,
            id);
      }
    }
  }
}
