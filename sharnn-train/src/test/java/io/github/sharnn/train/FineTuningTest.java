package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A saved model that is trained further with other dropouts. */
class FineTuningTest {

  @TempDir Path folder;

  @Test
  void begins_with_the_saved_weights_and_drops_at_the_new_rates() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    Path saved = folder.resolve("model");
    double before;
    try (Model model = Tiny.sharnn().dropouts(0).build().newModel("tiny")) {
      Tiny.trainer(model).learningRate(Tracker.fixed(1e-2f)).build().fit(corpus, Budget.steps(60));
      before = Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter();
      model.save(saved, null);
    }
    double[] first = new double[2];
    for (int i = 0; i < 2; i++) {
      float rate = 0.4f * i;
      try (Model model = SHARNN.load(saved, null, block -> block.withDropouts(rate))) {
        FitResult result =
            Tiny.trainer(model)
                .zeroStateProbability(0)
                .learningRate(Tracker.fixed(1e-9f))
                .build()
                .fit(corpus, Budget.steps(1));
        assertThat(result.last().validationBpc()).isCloseTo(before, within(1e-4));
        first[i] = result.history().get(0).trainBpc();
      }
    }
    assertThat(first[1]).as("with dropout").isGreaterThan(first[0] + 0.05);
    try (Model model = SHARNN.load(saved, null, block -> block.withDropouts(0.1f))) {
      Tiny.trainer(model).learningRate(Tracker.fixed(1e-2f)).build().fit(corpus, Budget.steps(60));
      assertThat(Tiny.evaluation(model, corpus.validation(), 4, 16).bitsPerCharacter())
          .isLessThan(before - 0.1);
    }
  }

  @Test
  void a_resumed_run_has_the_same_frozen_parts() throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    CheckpointPolicy policy = CheckpointPolicy.in(folder.resolve("run"));
    assertThat(fit(corpus, policy, 2, 0).step()).isEqualTo(2);
    for (int[] other : new int[][] {{}, {1}, {0, 1}}) {
      assertThatThrownBy(() -> fit(corpus, policy.resume(), 4, other))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("can't resume with other frozen parameters: it froze [")
          .hasMessageContaining("freeze the same parts again before fit");
    }
    assertThat(fit(corpus, policy.resume(), 4, 0).step()).isEqualTo(4);
  }

  private static StepReport fit(Corpus corpus, CheckpointPolicy policy, int steps, int... frozen) {
    try (Model model = Tiny.model(Tiny.sharnn().layers(2), 1)) {
      SHARNN.of(model).freezeLayers(frozen);
      return Tiny.trainer(model)
          .checkpoints(policy)
          .build()
          .fit(corpus, Budget.steps(steps))
          .last();
    }
  }
}
