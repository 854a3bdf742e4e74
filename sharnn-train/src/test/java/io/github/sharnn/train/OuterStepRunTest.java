package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.OuterStep;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Offset;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs with an outer step. */
class OuterStepRunTest {

  @TempDir private Path folder;
  private Corpus corpus;
  private Path run;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 1_000);
    run = folder.resolve("run");
  }

  private static SHARNNTrainer.Builder trainer(Model model, @Nullable OuterStep step) {
    return Tiny.trainer(model).seed(7).evaluationInterval(4).outerStep(step);
  }

  private Map<String, float[]> train(DataType precision, OuterStep step, Budget budget) {
    try (Model model = Tiny.sharnn().dropouts(0.2f).build().newModel("tiny")) {
      trainer(model, step).precision(precision).build().fit(corpus, budget);
      return Tiny.weights(model.getBlock());
    }
  }

  /** Stops after every few steps, in the middle of a round too, and resumes with a new model. */
  private Map<String, float[]> interrupted(DataType precision, int every, float momentum) {
    while (true) {
      int[] steps = {0};
      try (Model model = Tiny.sharnn().dropouts(0.2f).build().newModel("tiny")) {
        FitResult result =
            trainer(model, OuterStep.alone(4, 0.7f, momentum))
                .precision(precision)
                .checkpoints(CheckpointPolicy.in(run).every(Duration.ZERO).resume())
                .stopWhen(() -> ++steps[0] == every)
                .build()
                .fit(corpus, Budget.steps(22));
        if (result.isComplete()) {
          assertThat(result.evaluations())
              .extracting(StepReport::step)
              .containsExactly(4L, 8L, 12L, 16L, 20L, 22L);
          return Tiny.weights(model.getBlock());
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, 4, 0.9", "FLOAT32, 7, 0.9", "FLOAT16, 7, 0.9", "FLOAT32, 7, 0"})
  void resumes_to_the_last_bit(DataType precision, int every, float momentum) {
    Map<String, float[]> expected =
        train(precision, OuterStep.alone(4, 0.7f, momentum), Budget.steps(22));
    Tiny.assertSameWeights(interrupted(precision, every, momentum), expected);
  }

  @Test
  void a_step_of_rate_one_without_momentum_keeps_the_weights_up_to_rounding() {
    Map<String, float[]> expected = train(DataType.FLOAT32, null, Budget.steps(4));
    OuterStep step = OuterStep.alone(4, 1, 0);
    Map<String, float[]> actual = train(DataType.FLOAT32, step, Budget.steps(4));
    assertThat(step.count()).isEqualTo(1);
    expected.forEach(
        (name, values) -> {
          for (int i = 0; i < values.length; i++) {
            assertThat(actual.get(name)[i]).as(name).isCloseTo(values[i], rounding(values[i]));
          }
        });
    Map<String, float[]> half =
        train(DataType.FLOAT32, OuterStep.alone(4, 0.5f, 0), Budget.steps(4));
    String first = expected.keySet().iterator().next();
    assertThat(half.get(first)).isNotEqualTo(actual.get(first));
  }

  private static Offset<Float> rounding(float value) {
    return Offset.offset(Math.abs(value) / 1024 + 1e-4f);
  }

  /** The other worker's budget ends first. */
  @Test
  void ends_with_the_first_worker_whose_budget_ends() {
    OuterStep.Exchange exchange =
        own -> {
          ByteBuffer other = ByteBuffer.allocateDirect(own.remaining()).put(own.duplicate()).flip();
          if (own.remaining() > Long.BYTES && own.getDouble(own.position()) > 0.4) {
            other.order(ByteOrder.LITTLE_ENDIAN).putDouble(0, 1);
          }
          return List.of(own, other);
        };
    OuterStep step = new OuterStep(new OuterStep.Settings(4, 0.7f, 0.9f, 2), exchange);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      FitResult result = trainer(model, step).build().fit(corpus, Budget.steps(20));
      assertThat(result.isComplete()).isTrue();
      assertThat(result.last().step()).isEqualTo(12);
      assertThat(result.last().evaluated()).isTrue();
    }
  }

  /** Both workers saved their last checkpoint at this step, but only the other's time was up. */
  @Test
  void a_resumed_worker_ends_at_once_if_another_one_has_completed_the_training() {
    double[] others = {0};
    OuterStep.Exchange exchange =
        own -> {
          ByteBuffer other = ByteBuffer.allocateDirect(own.remaining()).put(own.duplicate()).flip();
          return List.of(own, other.order(ByteOrder.LITTLE_ENDIAN).putDouble(0, others[0]));
        };
    CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(4).rollbacks(0).resume();
    for (double used : new double[] {0, 1}) {
      others[0] = used;
      int[] steps = {0};
      OuterStep step = new OuterStep(new OuterStep.Settings(4, 0.7f, 0.9f, 2), exchange);
      try (Model model = Tiny.sharnn().build().newModel("tiny")) {
        FitResult result =
            trainer(model, step)
                .checkpoints(policy)
                .stopWhen(() -> ++steps[0] == 4)
                .build()
                .fit(corpus, Budget.steps(20));
        assertThat(result.isComplete()).isEqualTo(used == 1);
        assertThat(result.last().step()).isEqualTo(4);
      }
    }
  }

  @Test
  void options_are_checked() {
    OuterStep step = OuterStep.alone(4, 0.7f, 0.9f);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      SHARNNTrainer.Builder odd = trainer(model, step).evaluationInterval(6);
      assertThatThrownBy(odd::build)
          .hasMessage(
              "evaluationInterval must be a multiple of the interval between outer steps (4), or 0, but"
                  + " is 6");
      SHARNNTrainer.Builder slow = trainer(model, step).lookahead(5, 0.5f);
      assertThatThrownBy(slow::build).hasMessageContaining("lookahead can't be combined");
      OuterStep two = new OuterStep(new OuterStep.Settings(4, 0.7f, 0.9f, 2), List::of);
      SHARNNTrainer.Builder goesBack = trainer(model, two).checkpoints(CheckpointPolicy.in(run));
      assertThatThrownBy(goesBack::build).hasMessageContaining("set rollbacks(0)");
    }
  }

  @Test
  void a_resumed_run_keeps_its_outer_step() {
    OuterStep step = OuterStep.alone(4, 0.7f, 0.9f);
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      CheckpointPolicy policy = CheckpointPolicy.in(run).everySteps(4);
      trainer(model, step).checkpoints(policy).build().fit(corpus, Budget.steps(8));
      SHARNNTrainer without = trainer(model, null).checkpoints(policy.resume()).build();
      assertThatThrownBy(() -> without.fit(corpus, Budget.steps(8)))
          .hasMessageContaining("is of a run with an outer step: set it again");
      SHARNNTrainer other =
          trainer(model, OuterStep.alone(4, 0.7f, 0.8f)).checkpoints(policy.resume()).build();
      assertThatThrownBy(() -> other.fit(corpus, Budget.steps(8)))
          .hasMessageContaining("can't resume with another outer step")
          .hasMessageContaining("momentum=0.9")
          .hasMessageContaining("momentum=0.8");
    }
  }
}
