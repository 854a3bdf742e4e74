package io.github.sharnn.examples;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Anomaly detection in a log: a small model learns the log of normal days and then scores each line
 * of another day. Lines that the model did not expect have the most bits per byte. The program
 * generates both logs.
 */
public final class OddLogLines {

  private static final List<String> ODD =
      List.of(
          "GET /orders/../../etc/passwd 200 3 ms user=anna",
          "GET /orders/4711 200 98765 ms user=carl",
          "PUT /basket 500 OutOfMemoryError: Java heap space",
          "user=root login from 203.0.113.66",
          "GET /search?q='%20OR%201=1-- 200 12 ms user=bert");

  private OddLogLines() {}

  public static void main(String[] args) throws IOException {
    run(150);
  }

  static void run(int steps) throws IOException {
    Random random = new Random(1);
    Path normal = Files.createTempFile("normal", ".log");
    try (Model model =
        SHARNN
            .builder()
            .embeddingSize(64)
            .boomSize(256)
            .layers(2)
            .memoryLength(128)
            .dropouts(0)
            .build()
            .newModel("log")) {
      Files.write(normal, lines(random, 5_000));
      SHARNNTrainer.builder(model)
          .batchSize(16)
          .sequenceLength(64)
          .learningRate(LearningRateSchedule.peak(5e-3f).warmUp(20))
          .build()
          .fit(Corpus.open(normal), Budget.steps(steps));

      List<String> today = lines(random, 500);
      for (String odd : ODD) {
        today.add(random.nextInt(today.size()), odd);
      }
      List<Score> scores = score(model, today);
      System.out.println("\nThe lines that the model expected least, in bits per byte:");
      IntStream.range(0, today.size())
          .boxed()
          .sorted(Comparator.comparing(i -> -scores.get(i).totals().bitsPerByte()))
          .limit(ODD.size())
          .forEach(
              i ->
                  System.out.printf(
                      Locale.ROOT,
                      "%6.2f  line %3d: %s%n",
                      scores.get(i).totals().bitsPerByte(),
                      i + 1,
                      today.get(i)));
    } finally {
      Files.delete(normal);
    }
  }

  /**
   * Scores each line including its newline. The model predicts a line after a newline, which is the
   * scorer's default context.
   */
  private static List<Score> score(Model model, List<String> lines) {
    return Scorer.builder(model)
        .build()
        .scoreAll(
            lines.stream().map(line -> (line + "\n").getBytes(StandardCharsets.UTF_8)).toList());
  }

  private static List<String> lines(Random random, int count) {
    String[] users = {"anna", "bert", "carl"};
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String user = users[random.nextInt(users.length)];
      int milliseconds = 1 + random.nextInt(40);
      lines.add(
          switch (random.nextInt(4)) {
            case 0 ->
                String.format(Locale.ROOT, "GET /basket 200 %d ms user=%s", milliseconds, user);
            case 1 ->
                String.format(
                    Locale.ROOT,
                    "GET /orders/%d 200 %d ms user=%s",
                    1000 + random.nextInt(9000),
                    milliseconds,
                    user);
            case 2 ->
                String.format(Locale.ROOT, "PUT /basket 204 %d ms user=%s", milliseconds, user);
            default ->
                String.format(
                    Locale.ROOT, "user=%s login from 10.0.0.%d", user, 1 + random.nextInt(99));
          });
    }
    return lines;
  }
}
