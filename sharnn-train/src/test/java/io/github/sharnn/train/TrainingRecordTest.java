package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.types.DataType;
import com.google.common.base.Strings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

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
            stages, new Recipe.Stage(LearningRateSchedule.peak(2e-3f).cosine(), Budget.steps(9))),
        new TrainingRecord.Position(stages - 1, 9, 1, 10, 4000, 1_000_000),
        9,
        Float.NaN,
        new LearningRateSchedule.Plateaus(2, 1, 1.5),
        LossScale.none().save(),
        new DivergenceWatch(20).save(),
        1,
        true,
        Double.POSITIVE_INFINITY,
        0,
        evaluations,
        new TrainingRecord.CorpusRecord("corpus", 1000, 100, 100, "0".repeat(64), "words"),
        Map.of("java", "17"));
  }

  @Test
  void comes_back_as_it_was() throws Exception {
    TrainingRecord record = record(1, List.of(List.of(evaluation(77))));
    assertThat(TrainingRecord.fromJson(record.toJson())).isEqualTo(record);
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
    TrainingRecord.CorpusRecord words = record.corpus();
    TrainingRecord.CorpusRecord bytes =
        new TrainingRecord.CorpusRecord(
            words.file(), words.train(), words.validation(), words.test(), words.sha256(), null);
    assertThat(record.differences(record.config(), record.options(), words, 1)).isEmpty();
    assertThat(record.differences(record.config(), record.options(), bytes, 1))
        .containsExactly("vocabulary was \"words\", is now null");
  }
}
