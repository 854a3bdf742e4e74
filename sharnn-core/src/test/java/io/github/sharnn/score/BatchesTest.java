package io.github.sharnn.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.generate.TinyModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts in batches of similar length, with and without a cache. */
class BatchesTest {

  @Test
  void puts_texts_of_similar_length_together() {
    Batches batches = new Batches(2, 100, 256, 50, Long.MAX_VALUE);
    assertThat(batches.of(5, 90, 0, 80, 6))
        .containsExactly(List.of(1, 3), List.of(4, 0), List.of(2));
    assertThat(batches.of()).isEmpty();
  }

  @Test
  void puts_fewer_long_texts_together() {
    long twoSegments = 2 * 100 * 256;
    assertThat(new Batches(9, 100, 256, 50, twoSegments).of(999, 999, 999, 999)).hasSize(2);
    assertThat(new Batches(9, 100, 256, 512, twoSegments).of(999, 999, 999, 999)).hasSize(4);
    assertThat(new Batches(9, 100, 256, 512, twoSegments).of(9, 9, 9, 9)).hasSize(1);
    assertThat(new Batches(9, 100, 256, 512, 1).of(9, 9)).hasSize(2);
  }

  /** Texts of which many are equal, empty, or longer than the memory. */
  private static List<byte[]> randomTexts(Random random) {
    List<byte[]> texts = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      byte[] text = new byte[random.nextInt(random.nextInt(5) == 0 ? 200 : 20)];
      random.nextBytes(text);
      boolean again = i > 0 && random.nextBoolean();
      texts.add(again ? texts.get(random.nextInt(i)).clone() : text);
    }
    return texts;
  }

  private static void assertClose(Score.Totals actual, Score.Totals single) {
    double tokens = Math.max(single.perplexity().predicted(), 1);
    assertThat(actual.perplexity().units()).isEqualTo(single.perplexity().units());
    assertThat(actual.bits() / tokens).isCloseTo(single.bits() / tokens, within(1e-5));
    assertThat(actual.entropy() / tokens).isCloseTo(single.entropy() / tokens, within(1e-5));
    assertThat(actual.variance() / tokens).isCloseTo(single.variance() / tokens, within(1e-5));
    double greatest = single.greatestSurprise(); // FLOAT32 has 7 digits
    assertThat(actual.greatestSurprise()).isCloseTo(greatest, within(1e-5 + 1e-6 * greatest));
    assertThat(actual.top()).hasSameSizeAs(single.top());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void every_score_is_that_of_a_single_call(long seed) {
    Random random = new Random(seed);
    try (Model model = TinyModel.of(TinyModel.builder().memoryLength(60), DataType.FLOAT32, 0.4f)) {
      Scorer alone = Scorer.builder(model).build();
      long cache = random.nextInt(3) * 4_000L; // none, a few texts, more
      Scorer scorer =
          Scorer.builder(model).batchSize(1 + random.nextInt(40)).cacheBytes(cache).build();
      for (int call = 0; call < 2; call++) {
        List<byte[]> texts = randomTexts(random);
        List<Score.Totals> totals = scorer.totals(texts);
        List<Score> scores = scorer.scoreAll(texts);
        assertThat(totals).hasSameSizeAs(texts);
        for (int i = 0; i < texts.size(); i++) {
          Score single = alone.score(texts.get(i));
          assertClose(totals.get(i), single.totals());
          assertClose(scores.get(i).totals(), single.totals());
        }
      }
    }
  }

  @Test
  void the_cache_scores_an_equal_text_once() {
    try (Model model = TinyModel.of(TinyModel.builder(), DataType.FLOAT32, 0.4f)) {
      Scorer scorer = Scorer.builder(model).cacheBytes(1 << 20).build();
      byte[] text = "abc".getBytes(UTF_8);
      Score.Totals first = scorer.totals(List.of(text)).get(0);
      assertThat(scorer.totals(List.of(text.clone())).get(0)).isSameAs(first);
      text[0] = 'z'; // the cache keeps a copy
      assertThat(scorer.totals(List.of(text)).get(0)).isNotEqualTo(first);
      List<Score.Totals> equal = scorer.totals(List.of(new byte[] {'q'}, new byte[] {'q'}));
      assertThat(equal.get(0)).isSameAs(equal.get(1));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Scorer.builder(model).cacheBytes(-1).build())
          .withMessage("cacheBytes must be at least 0, but is -1");
    }
  }

  @Test
  void the_cache_forgets_texts_beyond_its_size() {
    ScoreCache cache = new ScoreCache(10_000);
    try (Model model = TinyModel.of(TinyModel.builder(), DataType.FLOAT32, 0.4f)) {
      Scorer scorer = Scorer.builder(model).build();
      int[] scored = {0};
      for (int call = 0; call < 2; call++) {
        for (int i = 0; i < 100; i++) {
          byte[] text = new byte[200];
          text[0] = (byte) i;
          cache.totals(
              List.of(text),
              unknown -> {
                scored[0] += unknown.size();
                return unknown.stream().map(some -> scorer.score("").totals()).toList();
              });
        }
      }
      assertThat(scored[0]).as("20 texts of 500 bytes fit").isEqualTo(200);
    }
  }
}
