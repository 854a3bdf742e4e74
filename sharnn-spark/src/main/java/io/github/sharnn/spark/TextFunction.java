package io.github.sharnn.spark;

import static com.google.common.base.Strings.lenientFormat;

import io.github.sharnn.spark.TextWork.RowSeeds;
import io.github.sharnn.spark.TextWork.Text;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.jspecify.annotations.Nullable;

/** The work on one text, for SQL. The result is a structure of the output columns. */
final class TextFunction implements UDF1<Object, Row> {

  private static final long serialVersionUID = 1;

  private final TextBatches batches;
  private final RowSeeds seed;

  TextFunction(TextBatches batches, RowSeeds seed) {
    this.batches = batches;
    this.seed = seed;
  }

  @Override
  public @Nullable Row call(@Nullable Object value) {
    if (value == null) {
      return null;
    }
    if (!(value instanceof String text)) {
      throw new IllegalArgumentException(
          lenientFormat(
              "the function's argument must be of type STRING, but its class is %s: cast it",
              value.getClass().getSimpleName()));
    }
    try (ExecutorModels.Use use = ExecutorModels.use(batches.source(), batches.device())) {
      Text one = new Text(text, seed.of(text, null));
      return RowFactory.create(batches.run(use::model, List.of(one)).get(0));
    }
  }
}
