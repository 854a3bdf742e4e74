package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import com.google.common.base.Strings;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.train.checkpoint.CheckpointJson;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.CorpusRecord;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.LossScaler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SavedStatesTest {

  private static StepReport evaluation(long step) {
    double bpc = step == 77 ? 1 : 1 + 1.0 / step; // the best is an early one
    return new StepReport(
        step, step * 16384, 1.0 / step, step / 3.0, bpc, bpc, 1e6 / 3, 1.0 / 7, 2e-3f, 65_536);
  }

  private static Map<String, Object> states(int stages, List<List<StepReport>> evaluations) {
    TrainingOptions options;
    try (Model model = Tiny.sharnn().build().newModel("tiny")) {
      options =
          Tiny.trainer(model)
              .accumulation(2)
              .evaluationInterval(10)
              .labelSmoothing(0.1f)
              .lookahead(5, 0.5f)
              .averageDecay(0.9)
              .build()
              .options();
    }
    TrainingStage stage =
        new TrainingStage(LearningRateSchedule.peak(2e-3f).cosine(), Budget.steps(9));
    CorpusRecord corpus =
        new CorpusRecord("corpus", 1000, 100, 100, "0".repeat(64), "words", null, null);
    Map<String, Object> states = new LinkedHashMap<>();
    states.put(
        "run",
        new RunRecord(
            Tiny.sharnn().config(),
            options,
            Collections.nCopies(stages, stage),
            corpus,
            SavedStates.Policy.of(
                CheckpointPolicy.in(Path.of("run")).everySteps(7).program(Map.of("--x", "1"))),
            Map.of("java", "17")));
    states.put("position", new SavedStates.Position(stages - 1, 9, 1, 10, 4000, 1_000_000));
    states.put("optimizer", new SavedStates.Updates(9));
    states.put(
        "rate", new SavedStates.Rate(Float.NaN, new LearningRateSchedule.Plateaus(2, 1, 1.5)));
    states.put("scale", LossScaler.none().save());
    states.put("divergence", new DivergenceDetector(20).save());
    states.put("best", new SavedStates.Best(1, true, 0));
    states.put("evaluations", new SavedStates.Evaluations(evaluations));
    return states;
  }

  private static Map<String, Object> states() {
    return states(1, List.of(List.of(evaluation(77))));
  }

  private static Map<String, Object> parse(byte[] json, Map<String, Object> like)
      throws MalformedModelException {
    JsonObject read = CheckpointJson.read(json);
    Map<String, Object> states = new LinkedHashMap<>();
    for (Map.Entry<String, Object> part : like.entrySet()) {
      states.put(
          part.getKey(), CheckpointJson.parse(read, part.getKey(), part.getValue().getClass()));
    }
    return states;
  }

  private static StepReport best(List<StepReport> history) {
    return FitResult.complete(history, Budget.steps(1)).best();
  }

  @Test
  void comes_back_as_it_was() throws Exception {
    assertThat(parse(CheckpointJson.write(states()), states())).isEqualTo(states());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "format | 1 | the format is 1, but this version of the library reads only 2",
        "format | null | the format is null, but this version of the library reads only 2",
        "run | null | run is missing",
        "position | null | position is missing",
        "scale | null | scale is missing",
        "divergence | null | divergence is missing",
        "evaluations | null | evaluations is missing",
        "run.config | null | a field is missing",
        "run.options | null | a field is missing",
        "run.options.precision | null | precision must be FLOAT32 or FLOAT16, but is null",
        "run.stages | null | a field is missing",
        "run.corpus | null | a field is missing",
        "run.made | null | a field is missing",
        "run.stages | [null] | a stage has no budget",
        "run.stages | [{}] | a stage has no budget",
        "evaluations.stages | null | a field is missing",
        "evaluations.stages | [null] | an evaluation is missing",
        "evaluations.stages | [[null]] | an evaluation is missing",
        "evaluations.stages | [[{\"validationBpc\":\"NaN\"}]] | an evaluation is missing",
        "best.bpc | \"NaN\" | the best of the evaluations is no number",
        "run.options.batchSize | 5 | divide batchSize (5), but is 2",
        "run.options.batchSize | 0 | batchSize must be at least 1, but is 0",
        "run.options.accumulation | 0 | divide batchSize (4), but is 0",
        "run.options.accumulation | -2 | divide batchSize (4), but is -2",
        "optimizer.updates | -1 | a count is negative",
        "best.stale | -1 | a count is negative",
        "rate.plateaus.count | -1 | a count is negative",
        "rate.plateaus.stale | -1 | a count is negative",
        "position.stage | -1 | a position is negative",
        "position.step | 0 | a position is negative",
        "position.epoch | -1 | a position is negative",
        "position.offset | -1 | a position is negative",
        "position.bytes | -1 | a position is negative",
        "position.nanos | -1 | a position is negative",
        "run.corpus.file | null | the corpus is missing",
        "run.corpus.sha256 | null | the corpus is missing",
        "run.corpus.train | 1 | a part of the corpus is empty",
        "run.corpus.validation | 1 | a part of the corpus is empty",
        "run.corpus.test | 1 | a part of the corpus is empty",
        "scale.value | 0.5 | the loss scale must be at least 1 and finite, but is 0.5",
        "scale.value | \"Infinity\" | the loss scale must be at least 1 and finite, but is Infinity",
        "scale.goodSteps | -1 | the loss scale changed must be from 0 to 1999, but are -1",
        "scale.goodSteps | 2000 | the loss scale changed must be from 0 to 1999, but are 2000",
        "divergence.mean | \"Infinity\" | a count is negative, or the mean loss infinite",
        "divergence.high | -1 | a count is negative",
        "divergence.skipped | -1 | a count is negative",
        "divergence.allSkipped | -1 | a count is negative",
        "divergence.rollbacks | -1 | a count is negative"
      })
  void names_what_is_wrong_with_a_field(String field, String value, String message)
      throws Exception {
    byte[] bad = with(field, value);
    assertThatThrownBy(() -> parse(bad, states()))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining(message);
  }

  private static byte[] with(String field, String value) throws IOException {
    JsonObject json =
        JsonParser.parseString(new String(CheckpointJson.write(states()), StandardCharsets.UTF_8))
            .getAsJsonObject();
    String[] names = field.split("\\.");
    JsonObject owner = json;
    for (int i = 0; i < names.length - 1; i++) {
      owner = owner.getAsJsonObject(names[i]);
    }
    String name = names[names.length - 1];
    assertThat(owner.has(name)).as(field).isTrue();
    owner.add(name, JsonParser.parseString(value));
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void takes_a_file_from_before_there_were_plateaus() throws Exception {
    assertThat(
            CheckpointJson.parse(
                    CheckpointJson.read(with("rate.plateaus", "null")),
                    "rate",
                    SavedStates.Rate.class)
                .plateaus())
        .isEqualTo(LearningRateSchedule.Plateaus.NONE);
  }

  @Test
  void every_stage_before_the_last_was_evaluated() {
    List<StepReport> some = List.of(evaluation(77));
    assertThatThrownBy(() -> new SavedStates.Evaluations(List.of(List.of(), some)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a stage before the last has no evaluation");
    assertThat(new SavedStates.Evaluations(List.of(some, some)).stages()).hasSize(2);
  }

  @Test
  void stays_small_however_often_a_run_evaluates() throws Exception {
    List<StepReport> all = new ArrayList<>();
    for (int step = 1; step <= 20_000; step++) {
      all.add(evaluation(step));
    }
    List<List<StepReport>> kept =
        SavedStates.Evaluations.bestAndNewest(List.of(all, all, all), 3).stages();
    assertThat(kept).hasSize(3);
    assertThat(kept.get(0)).hasSize(1666).contains(evaluation(77), all.get(all.size() - 1));
    assertThat(kept.get(0)).isSortedAccordingTo(Comparator.comparingLong(StepReport::step));
    assertThat(best(kept.get(0))).isEqualTo(best(all));
    Map<String, Object> states = states(3, kept);
    assertThat(parse(CheckpointJson.write(states), states)).isEqualTo(states); // below 4 MiB

    assertThat(
            SavedStates.Evaluations.bestAndNewest(List.of(all.subList(0, 1666)), 3).stages().get(0))
        .isEqualTo(all.subList(0, 1666));
  }

  @Test
  void refuses_short_elements_that_would_take_much_memory() throws Exception {
    byte[] good = CheckpointJson.write(states());
    String reports = "\"stages\": [[" + Strings.repeat("{},", 60_000);
    String text = new String(good, StandardCharsets.UTF_8);
    byte[] bad =
        text.replaceFirst("\"stages\": \\[\\s*\\[", reports).getBytes(StandardCharsets.UTF_8);
    assertThat(bad).hasSizeGreaterThan(good.length + 100_000);
    assertThatThrownBy(() -> CheckpointJson.read(bad))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("it has more than 100000 elements");
  }

  @Test
  void is_not_written_where_it_could_not_be_read() {
    Map<String, Object> states =
        states(40_000, Collections.nCopies(40_000, List.of(evaluation(77))));
    assertThatThrownBy(() -> CheckpointJson.write(states))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("it is too large to be read back: it has ")
        .hasMessageContaining(" bytes, more than the maximum of 4194304");
  }

  @Test
  void a_vocabulary_that_came_or_went_is_a_difference() {
    RunRecord run = (RunRecord) states().get("run");
    CorpusRecord words = run.corpus();
    CorpusRecord bytes =
        new CorpusRecord(
            words.file(),
            words.train(),
            words.validation(),
            words.test(),
            words.sha256(),
            null,
            null,
            null);
    assertThat(run.differences(run.config(), run.options(), words, run.policy().in(Path.of("run"))))
        .isEmpty();
    assertThat(run.differences(run.config(), run.options(), bytes, run.policy().in(Path.of("run"))))
        .containsExactly("vocabulary was \"words\", is now null");
  }
}
