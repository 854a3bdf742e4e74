package io.github.sharnn.train.evaluate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.step.SoleTraining;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A scorer that learns from single texts. */
class AdaptingScorerTest {

  private static final DynamicEvaluation.Settings SETTINGS =
      DynamicEvaluation.Settings.DEFAULT.sequenceLength(16).learningRate(0.5f);

  @TempDir private Path folder;

  private static double bits(Scorer scorer, String text) {
    return scorer.score(text).totals().bits();
  }

  @Test
  void scores_then_learns_by_an_explicit_call() throws Exception {
    Corpus.Part training = Tiny.part(folder, Tiny.text(16 * 6 + 1));
    String odd = "stop ".repeat(8);
    AdaptingScorer adapting;
    double before;
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      before = bits(Scorer.builder(model).build(), odd);
      adapting = AdaptingScorer.of(model, training, SETTINGS.learningRate(0.02f));
      assertThat(bits(Scorer.builder(model).build(), odd)).isEqualTo(before);
    }
    try (adapting) { // the model may be closed
      Scorer scorer = adapting.scorer();
      assertThat(bits(scorer, odd)).isCloseTo(before, within(1e-4));
      assertThat(bits(scorer, odd)).as("scoring alone").isEqualTo(bits(scorer, odd));
      adapting.learn(odd.getBytes(UTF_8));
      double once = bits(scorer, odd);
      assertThat(once).isLessThan(before);
      adapting.learn(odd.getBytes(UTF_8));
      assertThat(bits(scorer, odd)).isLessThan(once);
      adapting.learn(new byte[0]);
      adapting.reset();
      assertThat(bits(scorer, odd)).isCloseTo(before, within(1e-4));
    }
    assertThatIllegalStateException().isThrownBy(() -> adapting.learn(new byte[] {1}));
    assertThatIllegalStateException().isThrownBy(() -> bits(adapting.scorer(), odd));
  }

  /** One text, one stream: the segments have the losses of dynamic evaluation. */
  @Test
  void adapts_as_dynamic_evaluation_does() throws Exception {
    byte[] text = Tiny.text(16 * 4 + 9);
    Corpus.Part training = Tiny.part(folder, Tiny.text(16 * 6 + 1));
    byte[] withContext = new byte[text.length + 1];
    withContext[0] = '\n';
    System.arraycopy(text, 0, withContext, 1, text.length);
    Corpus.Part part = Tiny.part(Files.createDirectory(folder.resolve("other")), withContext);
    try (Model model = Tiny.model(Tiny.sharnn(), 3);
        AdaptingScorer adapting = AdaptingScorer.of(model, training, SETTINGS)) {
      DynamicEvaluation right = DynamicEvaluation.of(model, training, part, SETTINGS);
      double bits = right.perplexity().nats() / Math.log(2);
      assertThat(adapting.learn(text)).isCloseTo(bits, within(1e-3));
      assertThat(bits(Scorer.builder(model).build(), new String(text, UTF_8)))
          .as("without adaptation")
          .isNotCloseTo(bits, within(1.0));
    }
  }

  @Test
  void rejects_what_it_cannot_learn_from() throws Exception {
    Corpus.Part training = Tiny.part(folder, Tiny.text(16 * 6 + 1));
    try (Model model = Tiny.model(Tiny.sharnn(), 3)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> AdaptingScorer.of(model, training, SETTINGS.sequenceLength(500)))
          .withMessageContaining("is too short for a segment of 500");
      try (AdaptingScorer adapting = AdaptingScorer.of(model, training, SETTINGS)) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> adapting.learn(new byte[] {'a', (byte) 200}))
            .withMessageContaining("byte 1 is 200");
        SoleTraining.begin("other");
        try {
          assertThatIllegalStateException().isThrownBy(() -> adapting.learn(new byte[] {'a'}));
        } finally {
          SoleTraining.end();
        }
        assertThat(adapting.learn(new byte[0])).isZero();
      }
      SHARNN.of(model).quantize();
      assertThatIllegalStateException()
          .isThrownBy(() -> AdaptingScorer.of(model, training, SETTINGS))
          .withMessage("a quantized model does not train: load the model without quantize()");
    }
  }
}
