package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import io.github.sharnn.spark.TextWork.RowSeeds;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.util.SerializableConfiguration;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;

class TextPartitionsTest {

  private static final int ROWS = 1000;

  /** Fails at each text, and is never called in these tests. */
  private record NoWork() implements TextWork {

    @Override
    public int batchSize() {
      return 1;
    }

    @Override
    public OfModel open(Model model) {
      throw new AssertionError("there is no text");
    }
  }

  private static TextPartitions partitions(long windowBytes) {
    ModelSource source =
        new ModelSource("model", "", new SerializableConfiguration(new Configuration(false)));
    TextBatches batches = new TextBatches(source, "cpu", new NoWork(), 2, false);
    return new TextPartitions(batches, 0, -1, new RowSeeds(0), windowBytes);
  }

  /** Rows without text, whose other column is large. */
  private static final class Rows implements Iterator<Row> {
    private int read;

    @Override
    public boolean hasNext() {
      return read < ROWS;
    }

    @Override
    public Row next() {
      read++;
      return RowFactory.create(null, "x".repeat(10_000), read);
    }
  }

  @Test
  void the_rows_in_memory_are_bounded_in_bytes() {
    Rows rows = new Rows();
    Iterator<Row> results = partitions(100_000).call(rows);
    for (int i = 1; i <= ROWS; i++) {
      Row row = results.next();
      assertThat(row.size()).isEqualTo(6);
      assertThat(row.getInt(2)).isEqualTo(i);
      assertThat(row.isNullAt(3) && row.isNullAt(5)).isTrue();
      assertThat(rows.read - i).isBetween(0, 5);
    }
    assertThat(results.hasNext()).isFalse();
    Assertions.assertThatThrownBy(results::next).isInstanceOf(NoSuchElementException.class);
  }

  @Test
  void a_seed_depends_on_the_text_or_on_the_rows_own_seed() {
    RowSeeds seeds = new RowSeeds(5);
    assertThat(seeds.of("text", 7L)).isEqualTo(12).isEqualTo(seeds.of("other", 7L));
    assertThat(seeds.of("text", null))
        .isEqualTo(new RowSeeds(5).of("text", null))
        .isNotEqualTo(seeds.of("other", null))
        .isNotEqualTo(new RowSeeds(6).of("text", null));
  }
}
