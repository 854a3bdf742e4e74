package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.Documents;
import io.github.sharnn.train.data.Split;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training on a corpus with documents. */
class DocumentsTrainingTest {

  private static final Split SPLIT = Split.random(1, 0.8, 0.1, 0.1);

  @TempDir Path folder;
  private Path first;
  private Path second;

  @BeforeEach
  void write_files() throws IOException {
    String words = new String(Tiny.text(1_500), StandardCharsets.US_ASCII);
    List<String> lines = List.of(words.replace("stop ", "stop\n").split("(?<=\n)"));
    first = Files.writeString(folder.resolve("1.txt"), String.join("", lines.subList(0, 20)));
    second =
        Files.writeString(
            folder.resolve("2.txt"), String.join("", lines.subList(20, lines.size())));
  }

  private Corpus corpus(Split split) throws IOException {
    return Corpus.builder()
        .file(first)
        .file(second)
        .documents(Documents.LINES)
        .split(split)
        .build();
  }

  private SHARNNTrainer.Builder trainer(Model model, int accumulation, List<StepReport> reports) {
    return SHARNNTrainer.builder(model)
        .batchSize(8)
        .sequenceLength(16)
        .accumulation(accumulation)
        .evaluationInterval(3)
        .seed(7)
        .onStep(reports::add);
  }

  private List<StepReport> train(int accumulation, Budget budget) throws IOException {
    List<StepReport> reports = new ArrayList<>();
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      trainer(model, accumulation, reports).build().fit(corpus(SPLIT), budget);
    }
    return reports;
  }

  @Test
  void accumulation_changes_no_number_but_by_rounding() throws IOException {
    List<StepReport> whole = train(1, Budget.steps(4));
    List<StepReport> slices = train(4, Budget.steps(4));
    for (int i = 0; i < 4; i++) {
      assertThat(slices.get(i).bytes()).isEqualTo(whole.get(i).bytes());
      assertThat(slices.get(i).trainBpc()).isCloseTo(whole.get(i).trainBpc(), within(1e-4));
      assertThat(slices.get(i).gradientNorm())
          .isCloseTo(whole.get(i).gradientNorm(), within(1e-3 * whole.get(i).gradientNorm()));
    }
  }

  @Test
  void a_pass_reads_every_byte_once() throws IOException {
    List<StepReport> reports = train(1, Budget.epochs(2));
    assertThat(reports.get(reports.size() - 1).bytes())
        .isEqualTo(2 * corpus(SPLIT).train().bytes());
    assertThat(reports.get(reports.size() - 1).used()).isEqualTo(1);
  }

  /** Stops in the middle of a group of documents too. */
  @Test
  void goes_on_to_the_last_bit_from_the_files_of_the_checkpoint() throws IOException {
    List<StepReport> straight = new ArrayList<>();
    List<StepReport> resumed = new ArrayList<>();
    Path run = folder.resolve("run");
    Map<String, float[]> expected;
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      trainer(model, 2, straight).build().fit(corpus(SPLIT), Budget.epochs(3));
      expected = Tiny.weights(model.getBlock());
    }
    FitResult result;
    do {
      int[] steps = {0};
      try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
        Corpus corpus = resumed.isEmpty() ? corpus(SPLIT) : Checkpoint.open(run).corpus();
        result =
            trainer(model, 2, resumed)
                .checkpoints(CheckpointPolicy.in(run).every(Duration.ZERO).resume())
                .stopWhen(() -> ++steps[0] == 5)
                .build()
                .fit(corpus, Budget.epochs(3));
        if (result.isComplete()) {
          Tiny.assertSameWeights(Tiny.weights(model.getBlock()), expected);
        }
      }
    } while (!result.isComplete());
    assertThat(straight).hasSizeGreaterThan(12);
    assertThat(resumed).extracting(StepReport::trainBpc).isEqualTo(bits(straight));
    assertThat(resumed)
        .extracting(StepReport::validationBpc)
        .isEqualTo(straight.stream().map(StepReport::validationBpc).toList());
    rejects_another_split(run);
    moves(run);
  }

  private static List<Double> bits(List<StepReport> reports) {
    return reports.stream().map(StepReport::trainBpc).toList();
  }

  private void rejects_another_split(Path run) throws IOException {
    Corpus other = corpus(Split.random(2, 0.8, 0.1, 0.1));
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      SHARNNTrainer trainer =
          trainer(model, 2, new ArrayList<>())
              .checkpoints(CheckpointPolicy.in(run).resume())
              .build();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> trainer.fit(other, Budget.epochs(4)))
          .withMessageContaining("layout was ")
          .withMessageContaining("\"seed\":2");
    }
  }

  private void moves(Path run) throws IOException {
    Checkpoint checkpoint = Checkpoint.open(run);
    String hash = checkpoint.corpus().sha256();
    Path moved = Files.move(first, folder.resolve("moved.txt"));
    Corpus corpus = checkpoint.corpus(List.of(moved, second), List.of(), List.of());
    assertThat(corpus.sha256()).isEqualTo(hash);
    assertThat(corpus.train().bytes()).isPositive();
    assertThat(corpus.record().files().train().get(0)).endsWith("moved.txt");
  }
}
