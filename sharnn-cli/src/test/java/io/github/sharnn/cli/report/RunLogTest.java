package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.Outcome;
import io.github.sharnn.cli.report.RunMetrics.Step;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.MetricsFile;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.vocabulary.Perplexity;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunLogTest {

  private static final byte[] TEXT = "ab".getBytes(StandardCharsets.UTF_8);

  @TempDir private Path folder;

  private static Model model() {
    return SHARNN
        .builder()
        .embeddingSize(8)
        .boomSize(8)
        .layers(1)
        .attentionLayers(0)
        .memoryLength(16)
        .dropouts(0.1f)
        .build()
        .newModel("tiny");
  }

  private List<StepReport> fit(Model model, Consumer<StepReport> onStep) throws Exception {
    Path file = Files.writeString(folder.resolve("corpus.txt"), "abcd efgh ".repeat(50));
    return SHARNNTrainer.builder(model)
        .batchSize(2)
        .sequenceLength(8)
        .evaluationInterval(3)
        .onStep(onStep)
        .build()
        .fit(Corpus.open(file), Budget.steps(6))
        .history();
  }

  private RunLog log(Model model) {
    Path run = folder.resolve("run");
    Path file = run.resolve("metrics.jsonl");
    MetricsFile metrics = new MetricsFile(file, model.getNDManager().getDevice());
    return new RunLog(new RunIdentity("7", run), metrics, file, model, TEXT, Map.of("seed", 42));
  }

  @Test
  void leaves_metrics_samples_and_a_report_and_the_training_as_it_is() throws Exception {
    List<StepReport> logged;
    try (Model model = model();
        RunLog log = log(model)) {
      log.provenance("corpus", "letters");
      assertThat(folder.resolve("run")).doesNotExist();
      logged =
          fit(
              model,
              report -> {
                log.accept(report);
                assertThat(Files.exists(folder.resolve("run/report.html")))
                    .isEqualTo(report.step() >= 3);
              });
    }
    RunMetrics run = RunMetrics.read(folder.resolve("run"));
    assertThat(run.steps()).hasSize(6);
    assertThat(run.evaluations()).extracting(Step::step).containsExactly(3L, 6L);
    assertThat(run.evaluations()).extracting(Step::sample).doesNotContainNull();
    assertThat(run.steps().stream().filter(step -> step.sample() != null)).hasSize(2);
    assertThat(run.settings().provenance().get("corpus").getAsString()).isEqualTo("letters");
    assertThat(run.settings().model().get("embeddingSize").getAsInt()).isEqualTo(8);
    assertThat(run.text()).isEqualTo(TEXT);
    assertThat(folder.resolve("run/report.html"))
        .content()
        .contains("step 6, validation", "{\"layer\":0,", "letters");
    try (Model model = model()) {
      List<StepReport> alone = fit(model, report -> {});
      assertThat(logged)
          .extracting(StepReport::trainBpc)
          .containsExactlyElementsOf(alone.stream().map(StepReport::trainBpc).toList());
    }
  }

  @Test
  void test_figures_that_are_not_finite_are_left_out_of_the_metrics() throws Exception {
    Perplexity perplexity = new Perplexity(80_000, 99, new Perplexity.Units(100, 100, 1, -1));
    assertThat(perplexity.ofWord()).isInfinite();
    assertThat(perplexity.bitsPerByteSpelled()).isNaN();
    Files.createDirectories(folder.resolve("run"));
    try (Model model = model();
        RunLog log = log(model)) {
      log.test(new Evaluation(perplexity, new Evaluation.Settings(1, 8), 16));
    }
    assertThat(folder.resolve("run/metrics.jsonl"))
        .content()
        .contains("\"bitsPerCharacter\":", "\"lostBytes\":-1")
        .doesNotContain("Infinity", "NaN", "wordPerplexity", "Spelled");
  }

  @Test
  void a_report_that_can_not_be_written_ends_no_run() throws Exception {
    Files.createDirectories(folder.resolve("run/report.html/in-the-way"));
    Outcome outcome =
        Outcome.capture(
            () -> {
              try (Model model = model();
                  RunLog log = log(model)) {
                return fit(model, log).size();
              }
            });
    assertThat(outcome.code()).isEqualTo(6);
    assertThat(outcome.err()).contains("report.html was not written: ");
    assertThat(RunMetrics.read(folder.resolve("run")).steps()).hasSize(6);
  }

  @Test
  void a_sample_that_can_not_be_drawn_ends_no_run() throws Exception {
    Outcome outcome =
        Outcome.capture(
            () -> {
              try (Model model = model(); // without weights
                  RunLog log = log(model)) {
                log.accept(new StepReport(1, 16, 0.5, 1, 8, 8, 16, 1, 1e-3f, 1));
              }
              return 0;
            });
    assertThat(outcome.code()).isZero();
    assertThat(outcome.err()).contains("the sample of this evaluation was not drawn: ");
    assertThat(RunMetrics.read(folder.resolve("run")).steps()).hasSize(1);
  }

  @Test
  void refuses_a_text_that_fits_no_heat_map() {
    assertThat(RunLog.bytes("é", "--text")).hasSize(2);
    assertThatThrownBy(() -> RunLog.bytes("x".repeat(81), "--text"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("--text must have 1 to 80 bytes of UTF-8, but has 81: leave some out");
  }
}
