package io.github.sharnn.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.generate.TinyModel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Texts that follow other texts of their host. */
class ScoringStateTest {

  private static final double CLOSE = 1e-5;

  private static Model model(SHARNNConfig.Builder options) {
    return TinyModel.of(options, DataType.FLOAT32, 0.4f);
  }

  private static List<byte[]> lines(Random random, int count) {
    List<byte[]> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      byte[] line = new byte[random.nextInt(25)];
      random.nextBytes(line);
      lines.add(line);
    }
    return lines;
  }

  private static void assertClose(Score.Totals actual, Score.Totals expected) {
    assertThat(actual.perplexity().units()).isEqualTo(expected.perplexity().units());
    double tokens = Math.max(expected.perplexity().predicted(), 1);
    assertThat(actual.bits() / tokens).isCloseTo(expected.bits() / tokens, within(CLOSE));
    assertThat(actual.entropy() / tokens).isCloseTo(expected.entropy() / tokens, within(CLOSE));
    assertThat(actual.zScore()).isCloseTo(expected.zScore(), within(1e-4));
  }

  @Test
  void pieces_of_a_text_cost_what_the_text_costs() {
    byte[] text = new byte[60];
    new Random(1).nextBytes(text);
    for (SHARNNConfig.Builder options :
        List.of(
            TinyModel.builder().memoryLength(100), // holds all of it
            TinyModel.builder().attentionLayers())) {
      try (Model model = model(options)) {
        Scorer scorer = Scorer.builder(model).segmentLength(20).build();
        ScoringState state = scorer.initialState();
        double bits = 0;
        double variance = 0;
        for (byte[] piece : cut(text)) {
          CarriedScore score = scorer.totalsAfter(List.of(state), List.of(piece)).get(0);
          bits += score.totals().bits();
          variance += score.totals().variance();
          state = score.after();
        }
        Score.Totals whole = scorer.score(text).totals();
        assertThat(bits).isCloseTo(whole.bits(), within(60 * CLOSE));
        assertThat(variance).isCloseTo(whole.variance(), within(60 * CLOSE));
      }
    }
  }

  private static List<byte[]> cut(byte[] text) {
    List<byte[]> pieces = new ArrayList<>();
    int start = 0;
    for (int length : new int[] {1, 25, 0, 3, 31}) {
      pieces.add(Arrays.copyOfRange(text, start, start + length));
      start += length;
    }
    return pieces;
  }

  @Test
  void hosts_side_by_side_get_the_scores_of_single_calls() {
    Random random = new Random(2);
    for (SHARNNConfig.Builder options :
        List.of(
            TinyModel.builder().memoryLength(30),
            TinyModel.builder().memoryLength(5), // shorter than a segment
            TinyModel.builder().attentionLayers())) {
      try (Model model = model(options)) {
        Scorer scorer = Scorer.builder(model).segmentLength(12).batchSize(5).build();
        List<ScoringState> states = new ArrayList<>(Collections.nCopies(9, scorer.initialState()));
        for (int round = 0; round < 4; round++) {
          List<byte[]> lines = lines(random, states.size());
          List<CarriedScore> scores = scorer.totalsAfter(states, lines);
          for (int host = 0; host < states.size(); host++) {
            ScoringState before = states.get(host);
            CarriedScore single =
                scorer.totalsAfter(List.of(before), List.of(lines.get(host))).get(0);
            assertClose(scores.get(host).totals(), single.totals());
            if (round == 0) {
              assertClose(single.totals(), scorer.score(lines.get(host)).totals());
            }
            states.set(host, random.nextBoolean() ? single.after() : scores.get(host).after());
          }
        }
        int arrays = model.getNDManager().getManagedArrays().size();
        scorer.totalsAfter(states, lines(random, states.size()));
        assertThat(model.getNDManager().getManagedArrays()).hasSize(arrays);
      }
    }
  }

  @Test
  void a_state_is_a_value() throws Exception {
    byte[] line = {'a', 'b', '\n'};
    try (Model model = model(TinyModel.builder())) {
      Scorer scorer = Scorer.builder(model).build();
      ScoringState first = scorer.initialState();
      CarriedScore once = scorer.totalsAfter(List.of(first), List.of(line)).get(0);
      CarriedScore again = scorer.totalsAfter(List.of(once.after()), List.of(line)).get(0);
      assertThat(again.totals().bits()).isNotCloseTo(once.totals().bits(), within(1e-3));
      assertThat(scorer.totalsAfter(List.of(first), List.of(line)).get(0).totals())
          .isEqualTo(once.totals());
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
        out.writeObject(once);
      }
      try (ObjectInputStream in =
          new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
        CarriedScore read = (CarriedScore) in.readObject();
        assertThat(scorer.totalsAfter(List.of(read.after()), List.of(line)).get(0).totals())
            .isEqualTo(again.totals());
      }
      CarriedScore empty = scorer.totalsAfter(List.of(once.after()), List.of(new byte[0])).get(0);
      assertThat(empty.after()).isSameAs(once.after());
      assertThat(empty.totals().bits()).isZero();
      assertThat(scorer.totalsAfter(List.of(), List.of())).isEmpty();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> scorer.totalsAfter(List.of(), List.of(line)))
          .withMessage("before must have a state for each of the 1 texts, but has 0");
    }
  }

  @Test
  void rejects_a_state_of_another_model() {
    byte[] line = {'a', '\n'};
    try (Model small = model(TinyModel.builder());
        Model deep = model(TinyModel.builder().layers(4));
        Model blind = model(TinyModel.builder().attentionLayers())) {
      Scorer scorer = Scorer.builder(small).build();
      for (Model other : List.of(deep, blind)) {
        ScoringState state = Scorer.builder(other).build().initialState();
        assertThatIllegalArgumentException()
            .isThrownBy(
                () ->
                    scorer.totalsAfter(
                        List.of(scorer.initialState(), state), List.of(line, new byte[0])))
            .withMessageStartingWith("before must have states of this model, of embedding size 16")
            .withMessageEndingWith(": begin with the scorer's initialState");
      }
    }
  }

  @Test
  void rejects_a_state_after_a_token_that_the_model_lacks() {
    try (Model bytes = model(TinyModel.builder());
        Model few = model(TinyModel.builder().vocabularySize(98))) {
      Scorer large = Scorer.builder(bytes).build();
      Scorer small = Scorer.builder(few).build();
      byte[] line = {'a', 'a'};
      List<ScoringState> states =
          List.of(
              large
                  .totalsAfter(List.of(large.initialState()), List.of(new byte[] {'b'}))
                  .get(0)
                  .after());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> small.totalsAfter(states, List.of(line)))
          .withMessage(
              "before must have states of this model, of 98 tokens, but one follows the token 98:"
                  + " begin with the scorer's initialState");
    }
  }
}
