package io.github.sharnn.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.TranslateException;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.TestModels;
import io.github.sharnn.generate.TinyModel;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScorerTest {

  private static final double CLOSE = 1e-5;

  private static SHARNNConfig.Builder builder() {
    return TinyModel.builder().memoryLength(60);
  }

  private static Model model(SHARNNConfig.Builder options) {
    return TinyModel.of(options, DataType.FLOAT32, 0.4f);
  }

  private static byte[] randomBytes(int seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** From a plain forward pass over all of it and arithmetic in double. */
  private static List<TokenScore> expected(Model model, byte context, byte[] bytes) {
    int[] text = new int[bytes.length];
    Arrays.setAll(text, i -> Byte.toUnsignedInt(bytes[i]));
    return expected(model, Byte.toUnsignedInt(context), text);
  }

  private static List<TokenScore> expected(Model model, int context, int[] text) {
    int size = SHARNN.of(model).config().vocabularySize();
    long[] tokens = new long[text.length];
    for (int i = 0; i < text.length; i++) {
      tokens[i] = i == 0 ? context : text[i - 1];
    }
    try (NDManager manager = model.getNDManager().newSubManager()) {
      NDArray input = manager.create(tokens, new Shape(1, tokens.length));
      float[] logits = TestModels.logits(SHARNN.of(model), manager, input).toFloatArray();
      List<TokenScore> scores = new ArrayList<>();
      for (int i = 0; i < text.length; i++) {
        float[] at = Arrays.copyOfRange(logits, i * size, (i + 1) * size);
        double sum = 0;
        for (float logit : at) {
          sum += Math.exp(logit);
        }
        double entropy = 0;
        double square = 0;
        int rank = 1;
        float own = at[text[i]];
        for (float logit : at) {
          double logProbability = logit - Math.log(sum);
          entropy -= Math.exp(logProbability) * logProbability;
          square += Math.exp(logProbability) * logProbability * logProbability;
          rank += logit > own ? 1 : 0;
        }
        float logProbability = (float) (own - Math.log(sum));
        float variance = (float) (square - entropy * entropy);
        scores.add(new TokenScore(text[i], logProbability, rank, (float) entropy, variance));
      }
      return scores;
    }
  }

  private static void assertClose(List<TokenScore> actual, List<TokenScore> expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      TokenScore score = actual.get(i);
      TokenScore right = expected.get(i);
      assertThat(score.token()).isEqualTo(right.token());
      assertThat((double) score.logProbability())
          .as("log-probability of byte %s", i)
          .isCloseTo(right.logProbability(), within(CLOSE * (1 - right.logProbability())));
      assertThat((double) score.entropy())
          .as("entropy at byte %s", i)
          .isCloseTo(right.entropy(), within(CLOSE * 10));
      assertThat((double) score.variance())
          .as("variance at byte %s", i)
          .isCloseTo(right.variance(), within(CLOSE * 10 * (1 + right.variance())));
      // either of two bytes that differ by rounding may come first
      assertThat(score.rank()).as("rank of byte %s", i).isCloseTo(right.rank(), within(1));
    }
    long sameRank = 0;
    for (int i = 0; i < expected.size(); i++) {
      sameRank += actual.get(i).rank() == expected.get(i).rank() ? 1 : 0;
    }
    assertThat(sameRank).isGreaterThanOrEqualTo((long) (0.98 * expected.size()));
  }

  @Test
  void agrees_with_plain_arithmetic() {
    byte[] text = randomBytes(1, 50);
    try (Model model = model(builder())) {
      Score score = Scorer.builder(model).segmentLength(60).build().score(text);
      assertClose(score.tokens(), expected(model, (byte) '\n', text));
      double nats = score.tokens().stream().mapToDouble(s -> -s.logProbability()).sum();
      assertThat(score.totals().perplexity().units().bytes()).isEqualTo(50);
      assertThat(score.totals().perplexity().nats()).isCloseTo(nats, within(1e-9));
      assertThat(score.totals().bits()).isCloseTo(nats / Math.log(2), within(1e-9));
      assertThat(score.totals().bitsPerByte()).isCloseTo(nats / Math.log(2) / 50, within(1e-9));
      assertThat(score.totals().perplexity().ofToken())
          .isCloseTo(Math.exp(nats / 50), within(1e-6));
      assertThat(score.totals().entropy())
          .isCloseTo(score.tokens().stream().mapToDouble(TokenScore::entropy).sum(), within(1e-9));
      double variance = score.tokens().stream().mapToDouble(TokenScore::variance).sum();
      assertThat(score.totals().variance()).isCloseTo(variance, within(1e-9));
      double excess = nats - score.totals().entropy();
      assertThat(score.totals().excessBits()).isCloseTo(excess / Math.log(2), within(1e-9));
      assertThat(score.totals().excessBitsPerByte())
          .isCloseTo(excess / Math.log(2) / 50, within(1e-9));
      assertThat(score.totals().zScore()).isCloseTo(excess / Math.sqrt(variance), within(1e-9));
      assertThat(score.totals().varianceInBits())
          .isCloseTo(variance / Math.log(2) / Math.log(2), within(1e-9));
    }
  }

  @Test
  void lists_the_most_surprising_tokens() throws Exception {
    byte[] text = randomBytes(10, 130);
    try (Model model = model(builder())) {
      Score score = Scorer.builder(model).topSurprises(5).segmentLength(20).build().score(text);
      List<TokenScore> tokens = score.tokens();
      List<Score.Surprise> right =
          IntStream.range(0, tokens.size())
              .boxed()
              .sorted(Comparator.comparing(i -> tokens.get(i).logProbability()))
              .limit(5)
              .map(
                  i ->
                      new Score.Surprise(
                          i,
                          Byte.toUnsignedInt(text[i]),
                          -tokens.get(i).logProbability() / Math.log(2)))
              .toList();
      assertThat(score.totals().top()).isEqualTo(right);
      assertThat(score.totals().greatestSurprise()).isEqualTo(right.get(0).bits());
      Scorer threes = Scorer.builder(model).segmentLength(20).build();
      assertThat(threes.score(new ByteArrayInputStream(text), next -> {}).top())
          .isEqualTo(right.subList(0, 3));
      assertThat(threes.score("ab").totals().top()).hasSize(2);
      Score empty = threes.score("");
      assertThat(empty.totals().greatestSurprise()).isZero();
      assertThat(empty.totals().zScore()).isNaN();
    }
  }

  @Test
  void predicts_the_first_byte_from_the_context() {
    try (Model model = model(builder())) {
      Scorer scorer = Scorer.builder(model).context((byte) 'q').build();
      byte[] text = "abc".getBytes(UTF_8);
      assertClose(scorer.score(text).tokens(), expected(model, (byte) 'q', text));
      assertThat(scorer.score("abc").tokens().get(0))
          .isNotEqualTo(Scorer.builder(model).build().score("abc").tokens().get(0));
    }
  }

  @Test
  void segments_give_what_one_pass_gives_while_the_memory_holds_all() {
    byte[] text = randomBytes(2, 50);
    try (Model model = model(builder().memoryLength(66))) {
      List<TokenScore> expected = expected(model, (byte) '\n', text);
      for (int segmentLength : new int[] {16, Integer.MAX_VALUE}) {
        Scorer scorer = Scorer.builder(model).segmentLength(segmentLength).build();
        assertClose(scorer.score(text).tokens(), expected);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 30, 100})
  void streams_what_a_call_gives(int segmentLength) throws Exception {
    byte[] text = randomBytes(3, 205); // the memory of 60 overflows
    try (Model model = model(builder())) {
      Scorer scorer = Scorer.builder(model).segmentLength(segmentLength).build();
      Score score = scorer.score(text);
      List<TokenScore> streamed = new ArrayList<>();
      Score.Totals totals = scorer.score(new ByteArrayInputStream(text), streamed::add);
      assertThat(streamed).isEqualTo(score.tokens());
      assertThat(totals).isEqualTo(score.totals());
      assertThat(scorer.score(Arrays.copyOf(text, 203)).tokens())
          .as("a last segment of another length sees the same")
          .zipSatisfy(
              score.tokens().subList(0, 203),
              (one, other) ->
                  assertThat((double) one.logProbability())
                      .isCloseTo(other.logProbability(), within(CLOSE)));
    }
  }

  private static List<byte[]> texts() {
    Random random = new Random(4);
    List<byte[]> texts = new ArrayList<>(List.of(randomBytes(5, 1), randomBytes(6, 2_000)));
    while (texts.size() < 32) {
      texts.add(
          randomBytes(texts.size(), 1 + random.nextInt(random.nextInt(10) == 0 ? 2_000 : 90)));
    }
    texts.add(new byte[0]);
    Collections.shuffle(texts, random);
    return texts;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void a_batch_of_many_lengths_gets_the_scores_of_single_calls(boolean attention) {
    SHARNNConfig.Builder options = attention ? builder() : builder().attentionLayers();
    try (Model model = model(options)) {
      List<byte[]> texts = texts();
      Scorer scorer = Scorer.builder(model).batchSize(33).build();
      List<Score> batch = scorer.scoreAll(texts);
      assertThat(batch).hasSize(33);
      for (int i = 0; i < texts.size(); i++) {
        assertClose(batch.get(i).tokens(), scorer.score(texts.get(i)).tokens());
      }
      List<Score> fives = Scorer.builder(model).batchSize(5).build().scoreAll(texts);
      for (int i = 0; i < texts.size(); i++) {
        assertThat(fives.get(i).totals().bits())
            .isCloseTo(batch.get(i).totals().bits(), within(1e-5 * (1 + texts.get(i).length)));
      }
    }
  }

  private static final WordVocabulary WORDS =
      WordVocabulary.of(List.of("the", "<eos>", "old", "man", "<unk>", "went", "on"));

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void scores_words_and_says_what_they_cost_by_byte_token_and_word(boolean split) throws Exception {
    byte[] text = "the old man sat\nthe  man".getBytes(UTF_8);
    SHARNNConfig.Builder options = builder().vocabulary(WORDS);
    try (Model model = model(split ? options.splits(2, 4) : options)) {
      Scorer scorer = Scorer.builder(model).segmentLength(3).build();
      Score score = scorer.score(text);
      assertClose(score.tokens(), expected(model, 1, new int[] {0, 2, 3, 4, 1, 0, 3, 1}));
      double nats = score.tokens().stream().mapToDouble(s -> -s.logProbability()).sum();
      Perplexity perplexity = score.totals().perplexity();
      assertThat(perplexity.units()).isEqualTo(new Perplexity.Units(24, 8, 8, 3 + 2));
      assertThat(perplexity.predicted()).isEqualTo(8);
      assertThat(perplexity.ofToken()).isCloseTo(Math.exp(nats / 8), within(1e-9));
      assertThat(perplexity.ofWord()).isCloseTo(Math.exp(nats / 8), within(1e-9));
      assertThat(score.totals().bitsPerByte()).isCloseTo(nats / 24 / Math.log(2), within(1e-9));
      List<TokenScore> streamed = new ArrayList<>();
      assertThat(scorer.score(new ByteArrayInputStream(text), streamed::add))
          .isEqualTo(score.totals());
      assertThat(streamed).isEqualTo(score.tokens());
      List<Score> batch = scorer.scoreAll(List.of("on".getBytes(UTF_8), text, new byte[0]));
      assertClose(batch.get(1).tokens(), score.tokens());
      assertThat(batch.get(0).tokens()).extracting(TokenScore::token).containsExactly(6, 1);
      assertThat(batch.get(2).tokens()).isEmpty();
      try (Predictor<String, Score> predictor = model.newPredictor(new ScoringTranslator(scorer))) {
        assertClose(predictor.predict(new String(text, UTF_8)).tokens(), score.tokens());
      }
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Scorer.builder(model).context((byte) ' ').build())
          .withMessageContaining(
              "context must have at least one token"
                  + " of the model's vocabulary (7 words), but ' ' has none");
    }
  }

  @Test
  void scores_nothing_as_nothing() throws Exception {
    try (Model model = model(builder())) {
      Scorer scorer = Scorer.builder(model).build();
      Score empty = scorer.score("");
      assertThat(empty.tokens()).isEmpty();
      assertThat(empty.totals())
          .isEqualTo(
              new Score.Totals(
                  new Perplexity(0, 0, new Perplexity.Units(0, 0, 0, 0)), 0, 0, List.of()));
      assertThat(empty.totals().bitsPerByte()).isNaN();
      assertThat(scorer.scoreAll(List.of())).isEmpty();
      assertThat(scorer.score(new ByteArrayInputStream(new byte[0]), score -> {}))
          .isEqualTo(empty.totals());
    }
  }

  @Test
  void a_predictor_gives_the_same() throws Exception {
    List<String> texts = List.of("one", "", "another text ".repeat(30), "a third");
    try (Model model = model(builder())) {
      Scorer scorer = Scorer.builder(model).build();
      try (Predictor<String, Score> predictor = model.newPredictor(new ScoringTranslator(scorer))) {
        List<Score> batch = predictor.batchPredict(texts);
        for (int i = 0; i < texts.size(); i++) {
          Score single = scorer.score(texts.get(i));
          assertThat(predictor.predict(texts.get(i))).isEqualTo(single);
          assertClose(batch.get(i).tokens(), single.tokens());
        }
      }
      try (Model other = model(builder());
          Predictor<String, Score> predictor = other.newPredictor(new ScoringTranslator(scorer))) {
        assertThatThrownBy(() -> predictor.predict("one"))
            .isInstanceOf(TranslateException.class)
            .hasMessageContaining("build the scorer from that model");
      }
    }
  }

  @Test
  void leaves_no_arrays_behind() throws Exception {
    try (Model model = model(builder())) {
      Scorer scorer = Scorer.builder(model).build();
      scorer.scoreAll(texts());
      int arrays = model.getNDManager().getManagedArrays().size();
      scorer.scoreAll(texts());
      scorer.score(new ByteArrayInputStream(randomBytes(8, 300)), score -> {});
      assertThat(model.getNDManager().getManagedArrays()).hasSize(arrays);
    }
  }

  @Test
  void backs_off_to_a_model_without_memory_or_attention() {
    try (Model model = model(builder())) {
      SHARNN full = SHARNN.of(model);
      List<Double> bits = new ArrayList<>();
      for (SHARNN block :
          List.of(
              full, full.withMemoryLength(20), full.withMemoryLength(0), full.withoutAttention())) {
        try (Model small = block.newModel("small")) {
          byte[] text = randomBytes(9, 80);
          Score score = Scorer.builder(small).batchSize(2).build().score(text);
          assertThat(score.tokens()).hasSize(80);
          bits.add(score.totals().bits());
        }
      }
      assertThat(bits).doesNotHaveDuplicates();
    }
  }

  @Test
  void rejects_bad_input() {
    try (Model model = model(builder().vocabularySize(100));
        Model wide = model(builder().vocabularySize(300));
        Model raw = builder().build().newModel("raw")) {
      Scorer scorer = Scorer.builder(model).build();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> scorer.score("see"))
          .withMessageContaining(
              "text must have bytes between 0 and vocabularySize - 1 (99), but byte 0 is 115");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Scorer.builder(model).context((byte) 100).build())
          .withMessageContaining(
              "context must have bytes between 0 and vocabularySize - 1 (99), but byte 0 is 100");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Scorer.builder(model).segmentLength(0).build())
          .withMessage("segmentLength must be at least 1 token, but is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Scorer.builder(model).batchSize(0).build())
          .withMessage("batchSize must be at least 1 text, but is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Scorer.builder(model).topSurprises(0).build())
          .withMessage("topSurprises must be at least 1 token, but is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Scorer.builder(wide).build())
          .withMessageContaining("must have a vocabularySize of at most 256");
      assertThatIllegalStateException()
          .isThrownBy(() -> Scorer.builder(raw).build().score("a"))
          .withMessageContaining("model raw must have weights: train it");
    }
  }
}
