package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.github.sharnn.SHARNN;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;

/** Lines to score, a model for them, and their scores. */
final class Lines {

  /** The largest rounding error of a figure that {@code sharnn.jar} prints with four digits. */
  static final double ROUNDING = 0.5e-4;

  private static final int SEED = 3;

  private Lines() {}

  /** Returns a model of ASCII with random weights. */
  static Model model(int size) {
    SHARNN block =
        SHARNN
            .builder()
            .vocabularySize(128)
            .embeddingSize(size)
            .boomSize(2 * size)
            .layers(2)
            .memoryLength(64)
            .build();
    Model model = block.newModel("log");
    Engine.getInstance().setRandomSeed(SEED);
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
    return model;
  }

  /** Returns numbered lines of ASCII, most of them short. */
  static List<String> of(int count) {
    Random random = new Random(SEED);
    List<String> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "%06d ", i));
      for (int length = random.nextInt(random.nextInt(100) == 0 ? 300 : 30); length > 0; length--) {
        line.append((char) (' ' + random.nextInt(95)));
      }
      all.add(line.toString());
    }
    return all;
  }

  /** Reads a result, one object for each row, sorted by a column. */
  static List<JsonObject> rows(Path result, String key) throws IOException {
    List<JsonObject> rows = new ArrayList<>();
    try (Stream<Path> files = Files.list(result)) {
      for (Path file : files.filter(each -> each.toString().endsWith(".json")).toList()) {
        for (String line : Files.readAllLines(file)) {
          rows.add(new Gson().fromJson(line, JsonObject.class));
        }
      }
    }
    rows.sort(Comparator.comparing(row -> row.get(key).getAsString()));
    return rows;
  }

  /** Reads the bits per byte of lines by their numbers, NaN for a line without a score. */
  static double[] bitsPerByte(Path result, int count) throws IOException {
    double[] bits = new double[count];
    Arrays.fill(bits, Double.NaN);
    try (Stream<Path> files = Files.list(result)) {
      for (Path file : files.filter(each -> each.toString().endsWith(".json")).toList()) {
        for (String line : Files.readAllLines(file)) {
          JsonObject row = new Gson().fromJson(line, JsonObject.class);
          int number = Integer.parseInt(row.get("value").getAsString().substring(0, 6));
          assertThat(bits[number]).as("line %s", number).isNaN();
          bits[number] = row.get("bitsPerByte").getAsDouble();
        }
      }
    }
    return bits;
  }

  /** Returns the bits per byte that {@code sharnn.jar score --lines} prints. */
  static List<Double> printed(Path folder) throws Exception {
    Path printed = folder.resolve("printed");
    Process score =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dai.djl.pytorch.num_threads=1",
                "-jar",
                "../sharnn-cli/target/sharnn.jar",
                "score",
                folder.resolve("model").toString(),
                folder.resolve("lines.txt").toString(),
                "--lines",
                "--device",
                "cpu")
            .redirectOutput(printed.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertThat(score.waitFor()).isZero();
    return Files.readAllLines(printed).stream()
        .map(line -> Double.valueOf(line.split("\t")[0]))
        .toList();
  }
}
