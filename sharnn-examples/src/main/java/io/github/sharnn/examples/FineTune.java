package io.github.sharnn.examples;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.pretrained.PretrainedModels;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.MixedCorpus;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.train.progress.ProgressLine;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Locale;

/**
 * Fine-tuning: teaches a trained model the first half of a novel, and shows how well it predicts
 * the beginning of the second half, and the old text, before and after.
 *
 * <pre>{@code
 * java FineTune wiki-bytes wiki.txt     // a pretrained model or a saved folder, and its old text
 * java FineTune wiki-bytes              // without old text
 * }</pre>
 */
public final class FineTune {

  private static final double OLD_SHARE = 0.25;
  private static final int TESTED = 100_000; // bytes

  private FineTune() {}

  /**
   * Fine-tunes for two minutes.
   *
   * @param args the name of a pretrained model or the folder of a saved one; optionally a file with
   *     text that it was trained on, of a few megabytes
   * @throws Exception if a file can't be read or written, or training fails
   */
  public static void main(String[] args) throws Exception {
    if (args.length < 1 || args.length > 2) {
      System.err.println("usage: FineTune MODEL [OLD_TEXT]");
      System.exit(2);
    }
    Path folder =
        PretrainedModels.names().contains(args[0])
            ? PretrainedModels.folder(args[0])
            : Path.of(args[0]);
    Path old = args.length == 2 ? Path.of(args[1]) : null;
    run(folder, novel(), old, Path.of("tuned-model"), Budget.time(Duration.ofMinutes(2)));
  }

  static void run(Path folder, Path novel, Path oldText, Path output, Budget budget)
      throws Exception {
    long half = Files.size(novel) / 2;
    long validation = half / 20;
    Corpus fresh = Corpus.withSizes(novel, half - validation, validation, Math.min(half, TESTED));
    Corpus old = oldText == null ? null : Corpus.open(oldText);
    Corpus text =
        old == null
            ? fresh
            : MixedCorpus.write(output.resolve("mixed-corpus"), fresh, old, OLD_SHARE);
    // no dropout, since two minutes are less than a pass; more passes need some, such as 0.1
    try (Model model = SHARNN.load(folder, null, block -> block.withDropouts(0))) {
      Figures before = Figures.of(model, fresh, old);
      // SHARNN.of(model).freezeLayers(0) here keeps more of the old model
      SHARNNTrainer.builder(model)
          .batchSize(8)
          .sequenceLength(64)
          .optimizer(OptimizerSettings.of(OptimizerSettings.Type.ADAMW))
          .learningRate(LearningRateSchedule.peak(3e-4f).warmUp(20).linear())
          .onStep(new ProgressLine())
          .build()
          .fit(text, budget);
      model.save(output, null);
      Figures after = Figures.of(model, fresh, old);
      System.out.printf(
          Locale.ROOT,
          "%nTest, bits per character   before   after%n"
              + "second half of the novel   %6.3f  %6.3f%n",
          before.fresh,
          after.fresh);
      if (old != null) {
        System.out.printf(
            Locale.ROOT, "old text                   %6.3f  %6.3f%n", before.old, after.old);
      }
      System.out.println("The model is in " + output);
    }
  }

  /** Test figures of the new text and, if there is one, of the old text. */
  private record Figures(double fresh, double old) {

    static Figures of(Model model, Corpus fresh, Corpus old) {
      return new Figures(bits(model, fresh), old == null ? Double.NaN : bits(model, old));
    }

    private static double bits(Model model, Corpus corpus) {
      return Evaluation.of(model, corpus.test(), new Evaluation.Settings(8, 256))
          .bitsPerCharacter();
    }
  }

  /** Copies the bundled novel, without its byte order mark, to a temporary file. */
  private static Path novel() throws IOException {
    Path file = Files.createTempFile("novel", ".txt");
    file.toFile().deleteOnExit();
    try (InputStream in = FineTune.class.getResourceAsStream("dickens.txt")) {
      in.skipNBytes(3);
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
    }
    return file;
  }
}
