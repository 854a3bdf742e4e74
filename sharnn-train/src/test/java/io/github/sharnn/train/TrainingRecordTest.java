package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.types.DataType;
import com.google.common.base.Strings;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.train.checkpoint.TrainingRecord;
import io.github.sharnn.train.data.CorpusRecord;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.LossScaler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingRecordTest {

  private static StepReport evaluation(long step) {
    double bpc = step == 77 ? 1 : 1 + 1.0 / step; // the best is an early one
    return new StepReport(
        step, step * 16384, 1.0 / step, step / 3.0, bpc, bpc, 1e6 / 3, 1.0 / 7, 2e-3f, 65_536);
  }

  private static TrainingRecord record(int stages, List<List<StepReport>> evaluations) {
    return new TrainingRecord(
        TrainingRecord.FORMAT,
        Tiny.sharnn().config(),
        new TrainingOptions(4, 16, 2, 0.25, 42, 10, 4, 0.1f, 5, 0.5f, 0.9, 0.01, DataType.FLOAT32),
        Collections.nCopies(
            stages, new TrainingStage(LearningRateSchedule.peak(2e-3f).cosine(), Budget.steps(9))),
        new TrainingRecord.Position(stages - 1, 9, 1, 10, 4000, 1_000_000),
        9,
        Float.NaN,
        new LearningRateSchedule.Plateaus(2, 1, 1.5),
        LossScaler.none().save(),
        new DivergenceDetector(20).save(),
        1,
        true,
        Double.POSITIVE_INFINITY,
        0,
        evaluations,
        new CorpusRecord("corpus", 1000, 100, 100, "0".repeat(64), "words"),
        Map.of("java", "17"));
  }

  @Test
  void comes_back_as_it_was() throws Exception {
    TrainingRecord record = record(1, List.of(List.of(evaluation(77))));
    assertThat(TrainingRecord.fromJson(record.toJson())).isEqualTo(record);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "format | 2 | the format is 2, but this version reads 1",
        "config | null | a field is missing",
        "options | null | a field is missing",
        "options.precision | null | precision must be FLOAT32 or FLOAT16, but is null",
        "stages | null | a field is missing",
        "position | null | a field is missing",
        "lossScale | null | a field is missing",
        "watch | null | a field is missing",
        "evaluations | null | a field is missing",
        "corpus | null | a field is missing",
        "made | null | a field is missing",
        "stages | [] | the stages don't fit each other",
        "position.stage | 1 | the stages don't fit each other",
        "evaluations | [] | the stages don't fit each other",
        "stages | [null] | a stage has no budget",
        "stages | [{}] | a stage has no budget",
        "evaluations | [null] | an evaluation is missing",
        "evaluations | [[null]] | an evaluation is missing",
        "evaluations | [[{\"validationBpc\":\"NaN\"}]] | an evaluation is missing",
        "evaluations | [[]] | the best of the evaluations is not there",
        "bestBpc | \"Infinity\" | the best of the evaluations is not there",
        "earlierBestBpc | \"NaN\" | the best of earlier stages is no number",
        "options.batchSize | 5 | divide batchSize (5), but is 2",
        "options.batchSize | 0 | batchSize must be at least 1, but is 0",
        "options.accumulation | 0 | divide batchSize (4), but is 0",
        "options.accumulation | -2 | divide batchSize (4), but is -2",
        "position.offset | 249 | the position 249 is past the end of the streams", // 999 / 4
        "updates | -1 | a count is negative",
        "stale | -1 | a count is negative",
        "plateaus.count | -1 | a count is negative",
        "plateaus.stale | -1 | a count is negative",
        "position.stage | -1 | a position is negative",
        "position.step | 0 | a position is negative",
        "position.epoch | -1 | a position is negative",
        "position.offset | -1 | a position is negative",
        "position.bytes | -1 | a position is negative",
        "position.nanos | -1 | a position is negative",
        "corpus.file | null | the corpus is missing",
        "corpus.sha256 | null | the corpus is missing",
        "corpus.train | 1 | a part of the corpus is empty",
        "corpus.validation | 1 | a part of the corpus is empty",
        "corpus.test | 1 | a part of the corpus is empty",
        "lossScale.value | 0.5 | there is no such loss scale: 0.5",
        "lossScale.value | \"Infinity\" | there is no such loss scale: Infinity",
        "lossScale.goodSteps | -1 | there is no such loss scale",
        "lossScale.goodSteps | 2000 | there is no such loss scale",
        "watch.mean | \"Infinity\" | a count is negative, or the mean loss infinite",
        "watch.high | -1 | a count is negative",
        "watch.skipped | -1 | a count is negative",
        "watch.allSkipped | -1 | a count is negative",
        "watch.rollbacks | -1 | a count is negative"
      })
  void names_what_is_wrong_with_a_field(String field, String value, String message)
      throws Exception {
    byte[] bad = with(record(1, List.of(List.of(evaluation(77)))), field, value);
    assertThatThrownBy(() -> TrainingRecord.fromJson(bad))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining(message);
  }

  private static byte[] with(TrainingRecord record, String field, String value) throws IOException {
    JsonObject json =
        JsonParser.parseString(new String(record.toJson(), StandardCharsets.UTF_8))
            .getAsJsonObject();
    String[] names = field.split("\\.");
    JsonObject owner = names.length == 1 ? json : json.getAsJsonObject(names[0]);
    String name = names[names.length - 1];
    assertThat(owner.has(name)).as(field).isTrue();
    owner.add(name, JsonParser.parseString(value));
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void takes_the_last_place_of_a_stream_and_a_file_from_before_there_were_plateaus()
      throws Exception {
    TrainingRecord record = record(1, List.of(List.of(evaluation(77))));
    assertThat(TrainingRecord.fromJson(with(record, "position.offset", "248")).position().offset())
        .isEqualTo(248);
    assertThat(TrainingRecord.fromJson(with(record, "plateaus", "null")).plateaus())
        .isEqualTo(LearningRateSchedule.Plateaus.NONE);
  }

  @Test
  void every_stage_before_the_last_was_evaluated() {
    List<StepReport> some = List.of(evaluation(77));
    assertThatThrownBy(() -> record(2, List.of(List.of(), some)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a stage before the last has no evaluation");
    assertThat(record(2, List.of(some, some)).evaluations()).hasSize(2);
  }

  @Test
  void stays_small_however_often_a_run_evaluates() throws Exception {
    List<StepReport> all = new ArrayList<>();
    for (int step = 1; step <= 20_000; step++) {
      all.add(evaluation(step));
    }
    List<List<StepReport>> kept = new ArrayList<>();
    for (int stage = 0; stage < 3; stage++) {
      kept.add(TrainingRecord.bestAndNewest(all, 3));
    }
    assertThat(kept.get(0)).hasSize(1666).contains(evaluation(77), all.get(all.size() - 1));
    assertThat(kept.get(0)).isSortedAccordingTo(Comparator.comparingLong(StepReport::step));
    assertThat(new FitResult(kept.get(0)).best()).isEqualTo(new FitResult(all).best());
    TrainingRecord record = record(3, kept);
    assertThat(TrainingRecord.fromJson(record.toJson())).isEqualTo(record); // below 4 MiB

    assertThat(TrainingRecord.bestAndNewest(all.subList(0, 1666), 3))
        .isEqualTo(all.subList(0, 1666));
  }

  @Test
  void refuses_short_elements_that_would_take_much_memory() throws Exception {
    byte[] good = record(1, List.of(List.of(evaluation(77)))).toJson();
    String reports = "\"evaluations\": [[" + Strings.repeat("{},", 60_000);
    byte[] bad =
        new String(good, StandardCharsets.UTF_8)
            .replaceFirst("\"evaluations\": \\[\\s*\\[", reports)
            .getBytes(StandardCharsets.UTF_8);
    assertThatThrownBy(() -> TrainingRecord.fromJson(bad))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("it has more than 100000 elements");
  }

  @Test
  void is_not_written_where_it_could_not_be_read() {
    TrainingRecord record = record(40_000, Collections.nCopies(40_000, List.of(evaluation(77))));
    assertThatThrownBy(record::toJson)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("it could not be read back: it has ")
        .hasMessageContaining(" bytes, but may have 4194304");
  }

  @Test
  void a_vocabulary_that_came_or_went_is_a_difference() {
    TrainingRecord record = record(1, List.of(List.of(evaluation(77))));
    CorpusRecord words = record.corpus();
    CorpusRecord bytes =
        new CorpusRecord(
            words.file(), words.train(), words.validation(), words.test(), words.sha256(), null);
    assertThat(record.differences(record.config(), record.options(), words, 1)).isEmpty();
    assertThat(record.differences(record.config(), record.options(), words, 0))
        .containsExactly("stages: the checkpoint is in stage 1, now there are 0");
    assertThat(record.differences(record.config(), record.options(), bytes, 1))
        .containsExactly("vocabulary was \"words\", is now null");
  }
}
