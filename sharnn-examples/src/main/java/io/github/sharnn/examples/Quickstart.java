package io.github.sharnn.examples;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.train.progress.ProgressLine;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/**
 * A first model: trains a small SHA-RNN on a novel, in minutes on a laptop's CPU, and generates
 * text in the novel's style.
 *
 * <p>Run it with {@code mvn -q -B compile exec:java}. A copy of this program needs only the
 * artifact {@code sharnn-train}, and any text file in place of the bundled novel.
 */
public final class Quickstart {

  private Quickstart() {}

  public static void main(String[] args) throws Exception {
    run(1200, freeFolder());
  }

  static void run(int steps, Path folder) throws Exception {
    Path novel = novel();
    Corpus corpus = Corpus.open(novel);
    System.out.printf(
        Locale.ROOT,
        "Training a small SHA-RNN on The Old Curiosity Shop (Dickens, 1841), %,d bytes%n",
        Files.size(novel));
    try (Model model =
        SHARNN
            .builder()
            .embeddingSize(128)
            .boomSize(256)
            .layers(2)
            .memoryLength(256)
            .dropouts(0)
            .build()
            .newModel("novel")) {
      FitResult result =
          SHARNNTrainer.builder(model)
              .batchSize(16)
              .sequenceLength(64)
              .optimizer(OptimizerSettings.of(OptimizerSettings.Type.MUON).iterations(3))
              .learningRate(LearningRateSchedule.peak(8e-3f).warmUp(50).linear())
              .onStep(new ProgressLine())
              .build()
              .fit(corpus, Budget.steps(steps));
      Evaluation test = Evaluation.of(model, corpus.test());
      model.save(folder, null);

      System.out.printf(
          Locale.ROOT,
          "%nTest: %.2f bits per character on the last 5%% of the novel (best weights of %,d steps;"
              + " %d stream); gzip -9 needs %.2f on the whole%n%n",
          test.bitsPerCharacter(),
          result.last().step(),
          test.settings().streams(),
          gzipBitsPerCharacter(novel));
      String prompt = "The old man ";
      System.out.print(prompt);
      SHARNNGenerator.builder(model).temperature(0.7f).build().generate(prompt, System.out::print);
      System.out.printf(
          Locale.ROOT,
          "%n%nThe model is in %s. More from it:%n"
              + "  mvn -q -B package -DskipTests%n"
              + "  java -jar sharnn-cli/target/sharnn.jar generate %s --prompt \"Nell \"%n",
          folder,
          folder);
    }
  }

  /** Copies the bundled novel, without its byte order mark, to a temporary file. */
  private static Path novel() throws IOException {
    Path file = Files.createTempFile("novel", ".txt");
    file.toFile().deleteOnExit();
    try (InputStream in = Quickstart.class.getResourceAsStream("dickens.txt")) {
      in.skipNBytes(3);
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
    }
    return file;
  }

  private static Path freeFolder() {
    Path folder = Path.of("quickstart-model");
    for (int i = 2; Files.exists(folder); i++) {
      folder = Path.of("quickstart-model-" + i);
    }
    return folder;
  }

  private static double gzipBitsPerCharacter(Path file) throws IOException {
    ByteArrayOutputStream compressed = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip =
        new GZIPOutputStream(compressed) {
          {
            def.setLevel(Deflater.BEST_COMPRESSION);
          }
        }) {
      Files.copy(file, gzip);
    }
    return 8.0 * compressed.size() / Files.size(file);
  }
}
