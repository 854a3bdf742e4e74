package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.Evaluation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** Models and corpora small enough for a test. */
public final class Tiny {

  private Tiny() {}

  /** Two layers, the first with attention, no dropout. */
  public static SHARNNConfig.Builder sharnn() {
    return SHARNN
        .builder()
        .vocabularySize(128)
        .embeddingSize(8)
        .boomSize(16)
        .layers(2)
        .attentionLayers(0)
        .memoryLength(64)
        .dropouts(0);
  }

  /** A model with weights, some of them larger than the first ones so that context matters. */
  public static Model model(SHARNNConfig.Builder builder, int seed) {
    SHARNN block = builder.build();
    Model model = block.newModel("tiny");
    Engine.getEngine("PyTorch").setRandomSeed(seed);
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
    for (Parameter parameter : block.getParameters().values()) {
      if (parameter.getType() == Parameter.Type.WEIGHT) {
        parameter.getArray().muli(3);
      }
    }
    return model;
  }

  /** Four streams, in segments of up to 16. */
  public static SHARNNTrainer.Builder trainer(Model model) {
    return SHARNNTrainer.builder(model).batchSize(4).sequenceLength(16);
  }

  /** Words in an order that only some context predicts. */
  public static byte[] text(int length) {
    String[] words = {"single ", "headed ", "attention ", "stop ", "thinking "};
    StringBuilder text = new StringBuilder();
    Random random = new Random(1);
    while (text.length() < length) {
      text.append(words[random.nextInt(words.length)]);
    }
    return text.substring(0, length).getBytes(StandardCharsets.US_ASCII);
  }

  public static byte[] randomBytes(int length, int bound) {
    byte[] bytes = new byte[length];
    Random random = new Random(length);
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) random.nextInt(bound);
    }
    return bytes;
  }

  public static Path file(Path folder, byte[] bytes) throws IOException {
    return Files.write(Files.createTempFile(folder, "corpus", ".txt"), bytes);
  }

  public static Corpus corpus(Path folder, int length) throws IOException {
    return Corpus.open(file(folder, text(length)));
  }

  /** A part of exactly these bytes, in the middle of a file. */
  public static Corpus.Part part(Path folder, byte[] bytes) throws IOException {
    byte[] padded = new byte[bytes.length + 4];
    System.arraycopy(bytes, 0, padded, 2, bytes.length);
    return Corpus.withSizes(file(folder, padded), 2, bytes.length, 2).validation();
  }

  public static Evaluation evaluation(
      Model model, Corpus.Part part, int streams, int sequenceLength) {
    return Evaluation.of(model, part, new Evaluation.Settings(streams, sequenceLength));
  }

  public static Map<String, float[]> weights(Block block) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    block
        .getParameters()
        .forEach(pair -> weights.put(pair.getKey(), pair.getValue().getArray().toFloatArray()));
    return weights;
  }

  public static void assertSameWeights(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual.keySet()).isEqualTo(expected.keySet());
    actual.forEach((name, values) -> assertThat(values).as(name).isEqualTo(expected.get(name)));
  }
}
