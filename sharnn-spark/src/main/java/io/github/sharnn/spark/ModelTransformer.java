package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.Iterables;
import io.github.sharnn.spark.TextWork.RowSeeds;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.LongParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsWritable;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;

/**
 * A transformer that adds columns computed by a saved model from a column of text, with the options
 * that scoring and generation share.
 *
 * <p>A row without text gets nulls. A row that the model can't take, such as one with a byte that
 * its vocabulary lacks, gets nulls and a message in the column of errors. Any other failure, such
 * as a damaged model, fails the job.
 *
 * @param <T> the type of the transformer
 * @serial exclude
 */
public abstract class ModelTransformer<T extends ModelTransformer<T>> extends Transformer
    implements DefaultParamsWritable {

  private static final long serialVersionUID = 1;

  private final String uid;
  private final Param<String> model;
  private final Param<String> inputCol;
  private final Param<String> errorCol;
  private final BooleanParam failOnError;
  private final IntParam batchSize;
  private final LongParam windowBytes;
  private final Param<String> device;

  /**
   * Declares the shared options.
   *
   * @param uid the identifier of the stage in its pipeline
   * @param error the default of {@code errorCol}
   * @param batch the default of {@code batchSize}
   */
  ModelTransformer(String uid, String error, int batch) {
    this.uid = uid;
    model = text("model", "folder of the saved model, or sparkfiles:NAME");
    inputCol = text("inputCol", "column of text");
    errorCol = text("errorCol", "column of the error messages of single rows");
    failOnError = new BooleanParam(this, "failOnError", "fail the job if a row fails");
    batchSize = new IntParam(this, "batchSize", "texts that go through the model side by side");
    windowBytes = new LongParam(this, "windowBytes", "bytes of rows in memory, for each task");
    device = text("device", "auto, cpu, gpu, gpu0, gpu1 and so on");
    setDefault(inputCol, "value");
    setDefault(errorCol, error);
    setDefault(failOnError, false);
    setDefault(batchSize, batch);
    setDefault(windowBytes, 1L << 20);
    setDefault(device, "auto");
  }

  final Param<String> text(String name, String description) {
    return new Param<>(this, name, description);
  }

  /** Returns the options of the work, and checks them. */
  abstract TextWork work();

  /** Returns the new columns, without the one for errors. */
  abstract StructType columns();

  /** Returns the seeds of the rows. */
  abstract RowSeeds rowSeeds();

  /** Returns the name of the column with the rows' own seeds, or an empty name. */
  abstract String seedColumn();

  @SuppressWarnings("unchecked")
  final T self() {
    return (T) this;
  }

  /**
   * {@return the folder of the saved model} It has no default.
   *
   * <ul>
   *   <li>a path of any Hadoop file system that the driver and all executors reach, such as {@code
   *       hdfs:}, {@code s3a:} or a shared folder
   *   <li>{@code sparkfiles:NAME}: a folder that Spark has sent to all executors, with {@code
   *       --archives model.zip#NAME} or {@code SparkContext.addFile}
   * </ul>
   */
  public Param<String> model() {
    return model;
  }

  /** {@return the name of the column of text} The default is {@code value}. */
  public Param<String> inputCol() {
    return inputCol;
  }

  /** {@return the name of the new column with the error of a row, null for a row without error} */
  public Param<String> errorCol() {
    return errorCol;
  }

  /** {@return true to fail the job if a row fails} The default is false. */
  public BooleanParam failOnError() {
    return failOnError;
  }

  /** {@return the maximum number of texts that go through the model side by side} */
  public IntParam batchSize() {
    return batchSize;
  }

  /**
   * {@return the bytes of rows that a task reads ahead, which bounds its memory} The default is 1
   * MiB. A task sorts the texts of a window by length, so a longer window leaves less padding. A
   * single row may be longer.
   */
  public LongParam windowBytes() {
    return windowBytes;
  }

  /**
   * {@return the name of the device} The default is {@code auto}: the GPU that Spark has assigned
   * to the task, or else the GPU that DJL finds, or else the CPU.
   */
  public Param<String> device() {
    return device;
  }

  /**
   * Sets the folder of the saved model, as {@link #model()} describes.
   *
   * @param path the folder
   * @return this transformer
   */
  public T setModel(String path) {
    set(model, path);
    return self();
  }

  /**
   * Sets the column of text. Default {@code value}.
   *
   * @param name the name of a column of strings
   * @return this transformer
   */
  public T setInputCol(String name) {
    set(inputCol, name);
    return self();
  }

  /**
   * Sets the column of the rows' errors.
   *
   * @param name the name of a new column
   * @return this transformer
   */
  public T setErrorCol(String name) {
    set(errorCol, name);
    return self();
  }

  /**
   * Fails the job if a row fails. Default false.
   *
   * @param fail true to fail the job
   * @return this transformer
   */
  public T setFailOnError(boolean fail) {
    set(failOnError, fail);
    return self();
  }

  /**
   * Sets how many texts go through the model side by side.
   *
   * @param texts at least 1
   * @return this transformer
   */
  public T setBatchSize(int texts) {
    set(batchSize, texts);
    return self();
  }

  /**
   * Sets how many bytes of rows a task reads ahead. Default 1 MiB.
   *
   * @param bytes at least 1
   * @return this transformer
   */
  public T setWindowBytes(long bytes) {
    set(windowBytes, bytes);
    return self();
  }

  /**
   * Sets the device. Default {@code auto}.
   *
   * @param name {@code auto}, {@code cpu}, {@code gpu}, {@code gpu0}, {@code gpu1} and so on
   * @return this transformer
   */
  public T setDevice(String name) {
    set(device, name);
    return self();
  }

  final int intValue(IntParam param) {
    return (Integer) getOrDefault(param);
  }

  @Override
  public String uid() {
    return uid;
  }

  /**
   * Adds the columns.
   *
   * @param dataset has the column of text; batch or streaming
   * @throws IllegalArgumentException if an option breaks its rule, a column is missing or there
   *     already, or the driver finds no model
   */
  @Override
  public Dataset<Row> transform(Dataset<?> dataset) {
    StructType schema = dataset.schema();
    StructType extended = transformSchema(schema);
    String seeds = seedColumn();
    TextPartitions partitions =
        new TextPartitions(
            batches(dataset.sparkSession()),
            indexOf(schema, getOrDefault(inputCol)),
            seeds.isEmpty() ? -1 : indexOf(schema, seeds),
            rowSeeds(),
            (Long) getOrDefault(windowBytes));
    return dataset.toDF().mapPartitions(partitions, Encoders.row(extended));
  }

  /**
   * Registers a function for SQL. It takes a text and returns a structure of the new columns, the
   * error included. SQL calls it for one text at a time, so {@link #transform(Dataset)} is faster.
   *
   * @param session the session
   * @param name the name of the function
   * @throws IllegalArgumentException if an option breaks its rule, or the driver finds no model
   */
  public void registerFunction(SparkSession session, String name) {
    session.udf().register(name, new TextFunction(batches(session), rowSeeds()), columnsAndError());
  }

  private TextBatches batches(SparkSession session) {
    checkArgument(isSet(model), "model must name the folder of a saved model: call setModel");
    return new TextBatches(
        ModelSource.find(
            new SerializableConfiguration(session.sparkContext().hadoopConfiguration()),
            getOrDefault(model)),
        getOrDefault(device),
        checkedWork(),
        columns().size(),
        (Boolean) getOrDefault(failOnError));
  }

  private TextWork checkedWork() {
    long bytes = (Long) getOrDefault(windowBytes);
    checkArgument(bytes >= 1, "windowBytes must be at least 1, but is %s", bytes);
    checkArgument(
        intValue(batchSize) >= 1,
        "batchSize must be at least 1 text, but is %s",
        intValue(batchSize));
    return work();
  }

  private StructType columnsAndError() {
    return columns().add(getOrDefault(errorCol), DataTypes.StringType);
  }

  /**
   * {@return the columns of a transformed data frame}
   *
   * @param schema the columns of the data frame
   * @throws IllegalArgumentException if an option breaks its rule, or a column is missing or there
   *     already
   */
  @Override
  public StructType transformSchema(StructType schema) {
    checkedWork();
    checkColumn(schema, inputCol, getOrDefault(inputCol), DataTypes.StringType);
    StructType extended = schema;
    for (StructField column : columnsAndError().fields()) {
      checkArgument(
          !contains(extended, column.name()),
          "a new column must have a name of its own, but there is already a column '%s': choose another"
              + " one, or drop the column",
          column.name());
      extended = extended.add(column);
    }
    return extended;
  }

  /** Checks that a column has a type. */
  final void checkColumn(StructType schema, Param<?> param, String name, DataType type) {
    checkArgument(
        contains(schema, name),
        "%s must name a column, but there is no '%s' among %s",
        param.name(),
        name,
        String.join(", ", schema.fieldNames()));
    List<String> same =
        Arrays.stream(schema.fieldNames()).filter(each -> isSame(each, name)).toList();
    checkArgument(
        same.size() == 1,
        "%s must name one column, but '%s' names each of %s: rename the others, or set"
            + " spark.sql.caseSensitive if they differ in case",
        param.name(),
        name,
        String.join(", ", same));
    DataType actual = schema.fields()[indexOf(schema, name)].dataType();
    checkArgument(
        actual.equals(type),
        "%s must name a column of type %s, but '%s' has the type %s: cast it",
        param.name(),
        type.sql(),
        name,
        actual.sql());
  }

  private static boolean contains(StructType schema, String name) {
    return indexOf(schema, name) >= 0;
  }

  private static int indexOf(StructType schema, String name) {
    return Iterables.indexOf(Arrays.asList(schema.fieldNames()), each -> isSame(each, name));
  }

  /** Compares names as Spark does, which ignores case unless spark.sql.caseSensitive is set. */
  private static boolean isSame(String one, String other) {
    return SQLConf.get().caseSensitiveAnalysis() ? one.equals(other) : one.equalsIgnoreCase(other);
  }

  @Override
  public T copy(ParamMap extra) {
    return defaultCopy(extra);
  }
}
