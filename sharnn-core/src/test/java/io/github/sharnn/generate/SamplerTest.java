package io.github.sharnn.generate;

import static io.github.sharnn.NDArrayAssert.assertThat;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.github.sharnn.SafetensorsWeights;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {

  private static final float[] QUARTERS = logits(0.5, 0.25, 0.125, 0.125);

  @ParameterizedTest
  @CsvSource({"top_k_5, 5, 1", "top_k_8_top_p_80, 8, 0.8", "top_p_90, 0, 0.9", "top_p_98, 0, 0.98"})
  void filters_as_the_reference_does(String name, int topK, float topP) throws Exception {
    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> golden =
          SafetensorsWeights.readTensors(
              manager, Path.of("src/test/resources/golden/sampling/expected.safetensors"));
      float[] logits = golden.get("logits").toFloatArray();
      int size = (int) golden.get("logits").size(1);
      Sampler sampler = new Sampler(1, topK, topP);
      double[][] actual =
          IntStream.range(0, logits.length / size)
              .mapToObj(r -> Arrays.copyOfRange(logits, r * size, (r + 1) * size))
              .map(sampler::probabilities)
              .toArray(double[][]::new);
      assertThat(manager.create(actual)).isCloseTo(golden.get(name), 1e-5);
    }
  }

  @Test
  void divides_logits_by_the_temperature() {
    // p^2 of 4 : 2 : 1 : 1 is 16 : 4 : 1 : 1
    assertThat(new Sampler(0.5f, 0, 1).probabilities(QUARTERS))
        .containsExactly(new double[] {16 / 22., 4 / 22., 1 / 22., 1 / 22.}, within(1e-7));
  }

  @Test
  void top_k_1_is_the_argmax_and_the_lower_token_of_two_equal_ones() {
    Sampler sampler = new Sampler(1, 1, 1);
    assertThat(sampler.probabilities(new float[] {1, 3, 2, 3})).containsExactly(0, 1, 0, 0);
    assertThat(sampler.sample(new float[] {1, 3, 2, 3}, new SplittableRandom(1))).isEqualTo(1);
  }

  @Test
  void top_k_above_the_vocabulary_keeps_every_token() {
    assertThat(new Sampler(1, 9, 1).probabilities(QUARTERS))
        .containsExactly(new double[] {0.5, 0.25, 0.125, 0.125}, within(1e-7));
  }

  @Test
  void top_p_keeps_the_smallest_set_that_reaches_it() {
    assertThat(kept(new Sampler(1, 0, 0.49f))).isEqualTo(1);
    assertThat(kept(new Sampler(1, 0, 0.51f))).isEqualTo(2);
    assertThat(kept(new Sampler(1, 0, 0.74f))).isEqualTo(2);
    assertThat(kept(new Sampler(1, 0, 0.76f))).isEqualTo(3);
    assertThat(kept(new Sampler(1, 0, 1))).isEqualTo(4);
  }

  @Test
  void top_p_stops_where_it_is_reached_exactly() {
    assertThat(new Sampler(1, 0, 0.5f).probabilities(new float[] {0, 0})).containsExactly(1, 0);
  }

  @Test
  void top_p_1_keeps_even_what_adds_nothing_to_the_sum() {
    double[] probabilities = new Sampler(1, 2, 1).probabilities(new float[] {0, -50, -60});
    assertThat(probabilities[1]).isCloseTo(Math.exp(-50), within(1e-30));
    assertThat(probabilities[2]).isZero();
  }

  @Test
  void top_p_always_keeps_the_first() {
    assertThat(new Sampler(1, 0, Float.MIN_VALUE).probabilities(QUARTERS))
        .containsExactly(1, 0, 0, 0);
  }

  @Test
  void top_p_counts_the_probability_that_top_k_left() {
    // 0.5 is 2/3 of the two that are left, so it reaches 0.6 alone
    assertThat(kept(new Sampler(1, 2, 0.6f))).isEqualTo(1);
    assertThat(kept(new Sampler(1, 0, 0.6f))).isEqualTo(2);
  }

  @Test
  void min_p_keeps_what_has_that_share_of_the_most_probable() {
    assertThat(kept(minP(0.24f))).isEqualTo(4);
    assertThat(kept(minP(0.26f))).isEqualTo(2);
    assertThat(kept(minP(0.51f))).isEqualTo(1);
    assertThat(minP(1).probabilities(new float[] {1, 3, 2, 3})).containsExactly(0, 0.5, 0, 0.5);
    assertThat(minP(0.4f).probabilities(QUARTERS))
        .containsExactly(new double[] {2 / 3., 1 / 3., 0, 0}, within(1e-7));
  }

  @Test
  void min_p_looks_at_what_the_temperature_made_and_top_p_left() {
    // temperature 2 leaves the second 1 / sqrt(2) of the first
    assertThat(kept(new Sampler(2, 0, 1, 0.7f, 1))).isEqualTo(2);
    assertThat(kept(new Sampler(1, 0, 1, 0.7f, 1))).isEqualTo(1);
    // were min-p first, 0.5 would be 2/3 of what is left and reach 0.6 alone
    assertThat(kept(new Sampler(1, 0, 0.6f, 0.49f, 1))).isEqualTo(2);
  }

  @Test
  void lowers_the_logits_of_recent_tokens_once_each() {
    float[] logits = {2, 2, -1, -1, 0};
    Sampler penalizing = new Sampler(1, 0, 1, 0, 2);
    double[] penalized = penalizing.probabilities(logits, 0, 2, 0, 4);
    assertThat(penalized)
        .containsExactly(new Sampler().probabilities(new float[] {1, 2, -2, -1, 0}), within(1e-12));
    assertThat(logits).containsExactly(2, 2, -1, -1, 0);
    assertThat(penalizing.probabilities(logits)).isEqualTo(new Sampler().probabilities(logits));
    assertThat(new Sampler().probabilities(logits, 0))
        .isEqualTo(new Sampler().probabilities(logits));
    // before the filters: top-k 1 takes the other of two equal logits
    assertThat(new Sampler(1, 1, 1, 0, 1.5f).sample(logits, new SplittableRandom(1), 0)).isOne();
    assertThatThrownBy(() -> penalizing.probabilities(logits, 5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "recent tokens must lie between 0 and 4, the index of the last logit, but one is 5");
    assertThatThrownBy(() -> new Sampler().probabilities(logits, -1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the index of the last logit, but one is -1");
  }

  /** The definition, by sorting all tokens, with many equal logits. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 63, 64, 65, 1000, 5000})
  void keeps_what_sorting_keeps(int size) {
    SplittableRandom random = new SplittableRandom(size);
    for (int trial = 0; trial < 30; trial++) {
      float[] logits = new float[size];
      for (int token = 0; token < size; token++) {
        logits[token] = random.nextInt(-20, 20) * random.nextInt(1, 4) * 0.5f;
      }
      int topK = random.nextInt(0, 2 * size);
      float topP = trial % 3 == 0 ? 1 : (float) random.nextDouble(0.01, 1);
      double[] probabilities = new Sampler(3, topK, topP).probabilities(logits);
      double[] expected = bySorting(logits, 3, topK == 0 ? size : topK, topP);
      assertThat(probabilities)
          .as("top-k %s, top-p %s", topK, topP)
          .containsExactly(expected, within(1e-9));
    }
  }

  private static double[] bySorting(float[] logits, float temperature, int topK, float topP) {
    double[] p = new Sampler(temperature, 0, 1).probabilities(logits);
    List<Integer> ranked =
        IntStream.range(0, logits.length)
            .boxed()
            .sorted(Comparator.comparing(token -> -logits[token]))
            .limit(topK)
            .toList();
    double left = ranked.stream().mapToDouble(token -> p[token]).sum();
    double[] expected = new double[logits.length];
    double reached = 0;
    for (int token : ranked) {
      if (reached >= topP * left * (1 + 1e-12)) {
        break;
      }
      expected[token] = p[token];
      reached += p[token];
    }
    for (int token = 0; token < expected.length; token++) {
      expected[token] /= reached;
    }
    return expected;
  }

  @Test
  void huge_logits_neither_overflow_nor_vanish() {
    assertThat(new Sampler(1e-3f, 0, 1).probabilities(new float[] {3e38f, 3e38f, -3e38f}))
        .containsExactly(0.5, 0.5, 0);
  }

  @Test
  void never_draws_what_is_impossible() {
    float[] logits = {Float.NEGATIVE_INFINITY, 0, Float.NEGATIVE_INFINITY};
    SplittableRandom random = new SplittableRandom(5);
    assertThat(IntStream.range(0, 100).map(i -> new Sampler().sample(logits, random)))
        .containsOnly(1);
  }

  /** Always the same number. */
  private static RandomGenerator always(double number) {
    return new RandomGenerator() {
      @Override
      public long nextLong() {
        throw new UnsupportedOperationException();
      }

      @Override
      public double nextDouble() {
        return number;
      }
    };
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "0.4999, 0", "0.5, 1", "0.9999, 1"})
  void draws_the_token_whose_share_holds_the_number(double number, int token) {
    assertThat(new Sampler().sample(new float[] {7, 7}, always(number))).isEqualTo(token);
  }

  @Test
  void what_rounding_leaves_goes_to_no_impossible_token() {
    float[] logits = new float[11]; // ten times 0.1 is less than the number below
    logits[10] = Float.NEGATIVE_INFINITY;
    assertThat(new Sampler().sample(logits, always(Math.nextDown(1.0)))).isEqualTo(9);
  }

  @Test
  void draws_as_often_as_the_probabilities_say() {
    int draws = 40_000;
    double[] share = new double[4];
    SplittableRandom random = new SplittableRandom(3);
    for (int i = 0; i < draws; i++) {
      share[new Sampler().sample(QUARTERS, random)] += 1.0 / draws;
    }
    // four standard deviations of the most uncertain share: 4 * sqrt(0.25 / 40000)
    assertThat(share).containsExactly(new double[] {0.5, 0.25, 0.125, 0.125}, within(0.01));
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY})
  void rejects_a_bad_temperature(float temperature) {
    assertThatThrownBy(() -> new Sampler(temperature, 0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("temperature must be above 0 and finite, but is " + temperature);
  }

  @Test
  void rejects_a_negative_top_k() {
    assertThatThrownBy(() -> new Sampler(1, -2, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("topK must be at least 0, but is -2");
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -0.1f, 1.1f, Float.NaN})
  void rejects_a_bad_top_p(float topP) {
    assertThatThrownBy(() -> new Sampler(1, 0, topP))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("topP must be above 0 and at most 1, but is " + topP);
  }

  @ParameterizedTest
  @ValueSource(floats = {-0.1f, 1.1f, Float.NaN})
  void rejects_a_bad_min_p(float minP) {
    assertThatThrownBy(() -> minP(minP))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("minP must be between 0 and 1, but is " + minP);
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY})
  void rejects_a_bad_repetition_penalty(float penalty) {
    assertThatThrownBy(() -> new Sampler(1, 0, 1, 0, penalty))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("repetitionPenalty must be above 0 and finite, but is " + penalty);
  }

  /** Float.MIN_VALUE is 1.4e-45, and 1 divided by it infinite. */
  @Test
  void no_penalty_makes_logits_infinite() {
    Sampler raising = new Sampler(1, 0, 1, 0, Float.MIN_VALUE);
    assertThat(raising.probabilities(new float[] {2, 3, -2}, 0)).containsExactly(1, 0, 0);
    assertThat(raising.probabilities(new float[] {2, 3, -2}, 0, 1)).containsExactly(0.5, 0.5, 0);
    Sampler lowering = new Sampler(1, 0, 1, 0, Float.MAX_VALUE);
    assertThat(lowering.probabilities(new float[] {-2, -3, -9}, 0, 1)).containsExactly(0, 0, 1);
    assertThat(lowering.probabilities(new float[] {-2, -3}, 0, 1)).containsExactly(0.5, 0.5);
    assertThatThrownBy(() -> raising.probabilities(new float[] {1, Float.POSITIVE_INFINITY}, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("but one is Infinity");
  }

  @Test
  void rejects_logits_without_a_distribution() {
    Sampler sampler = new Sampler();
    assertThatThrownBy(() -> sampler.probabilities(new float[] {1, Float.NaN}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("but one is NaN");
    assertThatThrownBy(() -> sampler.probabilities(new float[] {Float.POSITIVE_INFINITY}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("but one is Infinity");
    assertThatThrownBy(() -> sampler.probabilities(new float[0]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("none of the 0 does");
  }

  private static Sampler minP(float share) {
    return new Sampler(1, 0, 1, share, 1);
  }

  private static long kept(Sampler sampler) {
    double[] probabilities = sampler.probabilities(QUARTERS);
    return Arrays.stream(probabilities).filter(p -> p > 0).count();
  }

  private static float[] logits(double... probabilities) {
    float[] logits = new float[probabilities.length];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) Math.log(probabilities[i]);
    }
    return logits;
  }
}
