package io.github.sharnn.spark;

import ai.djl.Model;
import io.github.sharnn.spark.TextWork.RowSeeds;
import io.github.sharnn.spark.TextWork.Text;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.util.TaskCompletionListener;
import org.jspecify.annotations.Nullable;

/**
 * The work on the rows of a partition. A window of rows is in memory at a time; its size is limited
 * in bytes.
 */
final class TextPartitions implements MapPartitionsFunction<Row, Row> {

  private static final long serialVersionUID = 1;
  private static final int BYTES_PER_VALUE = 32; // an object's header and pointer, rounded up

  private final TextBatches batches;
  private final int input;
  private final int seeds;
  private final RowSeeds seed;
  private final long windowBytes;

  /**
   * Creates the work.
   *
   * @param batches the work on a window's texts
   * @param input the index of the column of text
   * @param seeds the index of the column of seeds, or -1
   * @param seed makes the seed of a row
   * @param windowBytes the size at which a window is complete
   */
  TextPartitions(TextBatches batches, int input, int seeds, RowSeeds seed, long windowBytes) {
    this.batches = batches;
    this.input = input;
    this.seeds = seeds;
    this.seed = seed;
    this.windowBytes = windowBytes;
  }

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    return new Windows(rows);
  }

  /** The rows with their new columns. */
  private final class Windows implements Iterator<Row> {

    private final Iterator<Row> rows;
    private final Queue<Row> ready = new ArrayDeque<>();
    private ExecutorModels.@Nullable Use use;

    Windows(Iterator<Row> rows) {
      this.rows = rows;
    }

    @Override
    public boolean hasNext() {
      if (ready.isEmpty() && rows.hasNext()) {
        readWindow();
      }
      return !ready.isEmpty();
    }

    @Override
    public Row next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return ready.remove();
    }

    private void readWindow() {
      List<Row> window = new ArrayList<>();
      List<@Nullable Text> texts = new ArrayList<>();
      for (long bytes = 0; bytes < windowBytes && rows.hasNext(); ) {
        Row row = rows.next();
        window.add(row);
        texts.add(row.isNullAt(input) ? null : text(row));
        bytes += bytes(row);
      }
      List<@Nullable Object[]> results = batches.run(this::model, texts);
      for (int i = 0; i < window.size(); i++) {
        ready.add(extended(window.get(i), results.get(i)));
      }
    }

    private Model model() {
      if (use == null) {
        ExecutorModels.Use taken = ExecutorModels.use(batches.source(), batches.device());
        TaskCompletionListener end = context -> taken.close();
        TaskContext.get().addTaskCompletionListener(end);
        use = taken;
      }
      return use.model();
    }
  }

  private Text text(Row row) {
    String text = row.getString(input);
    Long own = seeds < 0 || row.isNullAt(seeds) ? null : row.getLong(seeds);
    return new Text(text, seed.of(text, own));
  }

  /** Estimates the memory that a row takes. */
  static long bytes(Row row) {
    long bytes = 0;
    for (int i = 0; i < row.size(); i++) {
      bytes += BYTES_PER_VALUE;
      if (row.get(i) instanceof String text) {
        bytes += 2L * text.length();
      } else if (row.get(i) instanceof byte[] binary) {
        bytes += binary.length;
      }
    }
    return bytes;
  }

  private static Row extended(Row row, @Nullable Object[] more) {
    Object[] values = new Object[row.size() + more.length];
    for (int i = 0; i < row.size(); i++) {
      values[i] = row.get(i);
    }
    System.arraycopy(more, 0, values, row.size(), more.length);
    return RowFactory.create(values);
  }
}
