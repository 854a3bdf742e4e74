package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.spark.TextWork.Text;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.SerializableConfiguration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class TextBatchesTest {

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
    ModelSource source =
        new ModelSource("model", "", new SerializableConfiguration(new Configuration(false)));
    return new TextBatches(source, "cpu", work, 1, failOnError);
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
  void a_bad_model_fails_the_job_and_not_each_row() {
    TextBatches batches = batches(new Lengths(false, new ArrayList<>()), false);
    assertThatThrownBy(() -> batches.run(() -> NONE, texts("a")))
        .hasMessage("the model is no SHARNN");
  }
}
