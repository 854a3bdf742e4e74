package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.spark.TextWork.RowSeeds;
import io.github.sharnn.spark.TextWork.Text;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext$;
import org.apache.spark.TaskContextImpl;
import org.apache.spark.TaskKilledException;
import org.apache.spark.util.SerializableConfiguration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class TextBatchesTest {

  private static final ModelSource SOURCE =
      new ModelSource("model", "", new SerializableConfiguration(new Configuration(false)));
  private static final Model NONE = SHARNN.builder().build().newModel("none");

  /** Returns the length of a text, rejects texts with a question mark, and notes its batches. */
  private record Lengths(boolean takesModel, List<List<String>> batches) implements TextWork {

    @Override
    public int batchSize() {
      return 2;
    }

    @Override
    public OfModel open(Model model) {
      checkArgument(takesModel, "the model is no SHARNN");
      return texts -> {
        batches.add(texts.stream().map(Text::text).toList());
        checkArgument(texts.stream().noneMatch(text -> text.text().contains("?")), "no questions");
        return texts.stream().map(text -> new Object[] {text.text().length()}).toList();
      };
    }
  }

  private static TextBatches batches(Lengths work, boolean failOnError) {
    return new TextBatches(SOURCE, "cpu", work, 1, failOnError);
  }

  private static List<Text> texts(String... texts) {
    return Arrays.stream(texts).map(text -> new Text(text, 0)).toList();
  }

  private static List<@Nullable Text> some() {
    List<@Nullable Text> texts = new ArrayList<>(texts("a", "four", "bb?"));
    texts.add(1, null);
    return texts;
  }

  @Test
  void a_bad_text_fails_alone_and_the_order_stays() {
    Lengths work = new Lengths(true, new ArrayList<>());
    List<@Nullable Object[]> results = batches(work, false).run(() -> NONE, some());
    assertThat(results)
        .containsExactly(
            new Object[] {1, null},
            new Object[] {null, null},
            new Object[] {4, null},
            new Object[] {null, "no questions"});
    assertThat(work.batches)
        .containsExactly(List.of("four", "bb?"), List.of("four"), List.of("bb?"), List.of("a"));
  }

  @Test
  void a_bad_text_fails_the_job_if_told_to() {
    TextBatches batches = batches(new Lengths(true, new ArrayList<>()), true);
    assertThatThrownBy(() -> batches.run(() -> NONE, some())).hasMessage("no questions");
  }

  @Test
  void a_row_always_has_a_score_or_an_error() {
    record Silent() implements TextWork {
      @Override
      public int batchSize() {
        return 1;
      }

      @Override
      public OfModel open(Model model) {
        return texts -> {
          throw new IllegalArgumentException();
        };
      }
    }
    TextBatches batches = new TextBatches(SOURCE, "cpu", new Silent(), 1, false);
    assertThat(batches.run(() -> NONE, texts("a")))
        .containsExactly(new Object[] {null, "java.lang.IllegalArgumentException"});
  }

  @Test
  void a_killed_task_ends_before_its_next_batch() {
    Lengths work = new Lengths(true, new ArrayList<>());
    TaskContextImpl task = TaskContext$.MODULE$.empty();
    task.markInterrupted("stage cancelled");
    TaskContext$.MODULE$.setTaskContext(task);
    try {
      assertThatThrownBy(() -> batches(work, false).run(() -> NONE, some()))
          .isInstanceOf(TaskKilledException.class);
    } finally {
      TaskContext$.MODULE$.unset();
    }
    assertThat(work.batches).isEmpty();
  }

  @Test
  void a_function_takes_texts_only() {
    TextFunction function =
        new TextFunction(batches(new Lengths(true, new ArrayList<>()), false), new RowSeeds(0));
    assertThatThrownBy(() -> function.call(5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "the function's argument must be of type STRING, but its class is Integer: cast it");
    assertThat(function.call(null)).isNull();
  }

  @Test
  void a_bad_model_fails_the_job_and_not_each_row() {
    TextBatches batches = batches(new Lengths(false, new ArrayList<>()), false);
    assertThatThrownBy(() -> batches.run(() -> NONE, texts("a")))
        .hasMessage("the model is no SHARNN");
  }
}
