package io.github.sharnn.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Budget;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Short runs of the programs that a user copies. */
class ExamplesTest {

  @Test
  void quickstart_trains_prints_and_saves(@TempDir Path folder) throws Exception {
    Path saved = folder.resolve("model");
    Outcome outcome =
        Outcome.capture(
            () -> {
              Quickstart.run(3, saved);
              return 0;
            });
    assertThat(outcome.out())
        .contains("The Old Curiosity Shop", "1,214,976 bytes", "step 3", "BPC", "bytes/s", "left")
        .contains("bits per character on the last 5%", "gzip -9 needs 3.07")
        .contains("The old man ", "The model is in " + saved, "generate " + saved);
    try (Model model = SHARNN.load(saved)) {
      assertThat(SHARNN.of(model).isInitialized()).isTrue();
    }
  }

  @Test
  void fine_tuning_learns_the_new_text(@TempDir Path folder) throws Exception {
    Path base = folder.resolve("base");
    try (Model model =
        SHARNN
            .builder()
            .embeddingSize(16)
            .boomSize(32)
            .layers(2)
            .memoryLength(32)
            .build()
            .newModel("b")) {
      model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      model.save(base, null);
    }
    Path novel = folder.resolve("novel.txt");
    try (InputStream in = FineTune.class.getResourceAsStream("dickens.txt")) {
      Files.write(novel, in.readNBytes(40_000));
    }
    Path old = Files.writeString(folder.resolve("old.txt"), "old words\n".repeat(2000));
    Path tuned = folder.resolve("tuned");
    String out =
        Outcome.capture(
                () -> {
                  FineTune.run(base, novel, old, tuned, Budget.steps(60));
                  return 0;
                })
            .out();
    Matcher figures =
        Pattern.compile("second half of the novel +(\\S+) +(\\S+)\nold text +(\\S+) +(\\S+)\n")
            .matcher(out);
    assertThat(figures.find()).as(out).isTrue();
    assertThat(Double.parseDouble(figures.group(1))).isBetween(7.9, 8.2); // an untrained model
    for (int before : new int[] {1, 3}) {
      assertThat(Double.parseDouble(figures.group(before + 1)))
          .isLessThan(Double.parseDouble(figures.group(before)) - 0.05);
    }
    assertThat(tuned.resolve("mixed-corpus/train.txt")).content().contains("old words\n");
    try (Model model = SHARNN.load(tuned)) {
      assertThat(SHARNN.of(model).config().hiddenDropout()).isZero();
    }
  }

  @Test
  void blocks_in_sequence_learn() {
    Outcome outcome =
        Outcome.capture(
            () -> {
              BlocksInSequence.main(new String[0]);
              return 0;
            });
    assertThat(outcome.out()).contains("step 200", "keeps: 4");
    assertThat(lossOf("step 200", outcome.out())).isLessThan(lossOf("step 1", outcome.out()) / 4);
  }

  @Test
  void minimal_training_learns() throws IOException {
    byte[] text;
    try (InputStream in = MinimalTraining.class.getResourceAsStream("dickens.txt")) {
      text = in.readNBytes(60_000);
    }
    double[] nats = new double[1];
    Outcome outcome =
        Outcome.capture(
            () -> {
              nats[0] = MinimalTraining.run(text, 100);
              return 0;
            });
    assertThat(lossOf("step 1", outcome.out())).isBetween(7.9, 8.2); // 256 equal bytes have 8
    assertThat(lossOf("step 100", outcome.out())).isLessThan(3.7);
    // the order of letters counts: without it the text has about 4.4 bits per byte
    assertThat(lossOf("validation", outcome.out())).isBetween(2.0, 3.7);
    assertThat(nats[0] / Math.log(2)).isCloseTo(lossOf("validation", outcome.out()), within(6e-4));
  }

  private static double lossOf(String step, String out) {
    String line = out.lines().filter(l -> l.startsWith(step + " ")).findFirst().orElseThrow();
    return Double.parseDouble(line.substring(line.indexOf("loss") + 5).split(" ")[0]);
  }
}
