package io.github.sharnn.train.progress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.data.Corpus;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingMetersTest {

  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final TrainingMeters meters = new TrainingMeters();

  private double gauge(String name) {
    return registry.get("sharnn.training." + name).gauge().value();
  }

  private double count(String name) {
    return registry.get("sharnn.training." + name).functionCounter().count();
  }

  @Test
  void follow_a_run_that_logs_its_evaluations(@TempDir Path folder) throws Exception {
    meters.bindTo(registry);
    assertThat(gauge("train.bpc")).isNaN();
    assertThat(gauge("validation.bpc")).isNaN();
    assertThat(count("steps")).isZero();
    Path file = Files.writeString(folder.resolve("corpus.txt"), "abcd efgh ".repeat(50));
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    PrintStream err = System.err;
    System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
    FitResult result;
    try (Model model =
        SHARNN
            .builder()
            .embeddingSize(8)
            .boomSize(8)
            .layers(1)
            .attentionLayers(0)
            .memoryLength(16)
            .build()
            .newModel("tiny")) {
      result =
          SHARNNTrainer.builder(model)
              .batchSize(2)
              .sequenceLength(8)
              .evaluationInterval(3)
              .onStep(meters)
              .build()
              .fit(Corpus.open(file), Budget.steps(8));
    } finally {
      System.setErr(err);
    }
    StepReport last = result.last();
    assertThat(count("steps")).isEqualTo(8);
    assertThat(count("steps.skipped")).isZero();
    assertThat(count("evaluations")).isEqualTo(3); // after steps 3, 6 and 8
    assertThat(gauge("train.bpc")).isEqualTo(last.trainBpc());
    assertThat(gauge("validation.bpc")).isEqualTo(last.validationBpc());
    assertThat(gauge("bytes")).isEqualTo(last.bytes());
    assertThat(gauge("bytes.per.second")).isEqualTo(last.bytesPerSecond());
    assertThat(gauge("gradient.norm")).isEqualTo(last.gradientNorm());
    assertThat(gauge("learning.rate")).isEqualTo(last.learningRate());
    assertThat(gauge("loss.scale")).isEqualTo(1);
    assertThat(gauge("budget.used")).isEqualTo(1);
    assertThat(registry.getMeters()).hasSize(11);
    assertThat(log.toString(StandardCharsets.UTF_8))
        .containsSubsequence("INFO", "step 3: train ", "step 6: train ")
        .contains(
            String.format(
                Locale.ROOT,
                "step 8: train %.4f BPC, valid %.4f BPC, ",
                last.trainBpc(),
                last.validationBpc()),
            "100% of the budget");
  }

  @Test
  void count_skipped_steps_and_keep_the_last_evaluation() {
    meters.bindTo(registry);
    meters.accept(new StepReport(1, 10, 0.1, 1, 5, 4, 10, 1, 1e-3f, 65_536));
    meters.accept(
        new StepReport(2, 20, 0.2, 2, 5, Double.NaN, 10, Double.POSITIVE_INFINITY, 1e-3f, 65_536));
    assertThat(count("steps")).isEqualTo(2);
    assertThat(count("steps.skipped")).isEqualTo(1);
    assertThat(gauge("validation.bpc")).isEqualTo(4);
    assertThat(gauge("loss.scale")).isEqualTo(65_536);
  }

  /** The registry would go on to show the first object, which no run feeds any more. */
  @Test
  void a_second_object_is_rejected() {
    meters.bindTo(registry);
    assertThatThrownBy(() -> new TrainingMeters().bindTo(registry))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "the registry has the meters sharnn.training.* already: bind one TrainingMeters, and give"
                + " it to each run");
    registry.close();
    meters.accept(new StepReport(1, 10, 0.1, 1, 5, 4, 10, 1, 1e-3f, 65_536));
    assertThat(count("steps")).isEqualTo(1);
  }
}
