package io.github.sharnn.spark;

import ai.djl.Model;
import io.github.sharnn.spark.TextWork.OfModel;
import io.github.sharnn.spark.TextWork.Text;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.apache.spark.TaskContext;
import org.jspecify.annotations.Nullable;

/**
 * The work on texts of any number, batch by batch, where a text that the model can't take does not
 * fail the others.
 *
 * @param source the model
 * @param device the name of the device
 * @param work the work
 * @param columns the number of output columns, without the one for errors
 * @param failOnError true to throw the exception of a text
 */
record TextBatches(
    ModelSource source, String device, TextWork work, int columns, boolean failOnError)
    implements Serializable {

  /**
   * Returns the values of the output columns for each text; the last one is the error. A killed
   * task ends before its next batch.
   *
   * @param model loads the model, unless every text is null
   * @param texts the texts; null for a row without text
   * @throws IllegalArgumentException if the model can't do the work for any text, or, with {@code
   *     failOnError}, for one of them
   */
  List<@Nullable Object[]> run(Supplier<Model> model, List<@Nullable Text> texts) {
    List<@Nullable Object[]> results = new ArrayList<>();
    texts.forEach(text -> results.add(new Object[columns + 1]));
    // texts of about the same length leave little padding in a batch
    List<Integer> sorted =
        IntStream.range(0, texts.size())
            .filter(i -> texts.get(i) != null)
            .boxed()
            .sorted(Comparator.comparing(i -> -texts.get(i).text().length()))
            .toList();
    if (sorted.isEmpty()) {
      return results;
    }
    OfModel opened = work.open(model.get());
    TaskContext task = TaskContext.get();
    for (int start = 0; start < sorted.size(); start += work.batchSize()) {
      if (task != null) {
        task.killTaskIfInterrupted();
      }
      List<Integer> batch =
          sorted.subList(start, Math.min(start + work.batchSize(), sorted.size()));
      runBatch(opened, texts, batch, results);
    }
    return results;
  }

  private void runBatch(
      OfModel opened,
      List<@Nullable Text> texts,
      List<Integer> batch,
      List<@Nullable Object[]> results) {
    List<Object[]> values;
    try {
      values = opened.run(batch.stream().map(texts::get).toList());
    } catch (IllegalArgumentException e) {
      if (batch.size() > 1) { // one of them is at fault
        batch.forEach(each -> runBatch(opened, texts, List.of(each), results));
      } else if (failOnError) {
        throw e;
      } else {
        results.get(batch.get(0))[columns] = e.getMessage() == null ? e.toString() : e.getMessage();
      }
      return;
    }
    for (int i = 0; i < values.size(); i++) {
      results.set(batch.get(i), Arrays.copyOf(values.get(i), columns + 1));
    }
  }
}
