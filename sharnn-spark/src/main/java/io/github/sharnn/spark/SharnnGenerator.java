package io.github.sharnn.spark;

import io.github.sharnn.generate.Sampler;
import io.github.sharnn.spark.TextWork.RowSeeds;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.LongParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A transformer that generates a text after each prompt with a saved model.
 *
 * <pre>{@code
 * SharnnGenerator generator =
 *     new SharnnGenerator().setModel("hdfs:///models/book").setInputCol("prompt").setLength(100);
 * generator.transform(prompts).select("prompt", "generated").show();
 * }</pre>
 *
 * <p>The new columns are {@code generated}, the text without its prompt, and {@code
 * generationError}, the error of the row, null for a good row.
 *
 * <p>Each row has a seed of its own: {@code seed} plus the row's value of {@code seedCol}, or plus
 * a hash of its prompt if there is no such column or value. The seed does not depend on partitions,
 * so a second run gives the same texts. Equal prompts give equal texts unless {@code seedCol} tells
 * them apart. Rounding depends on the texts side by side and may change which token is sampled. Set
 * {@code batchSize} to 1 for the same text in any partitioning.
 *
 * @serial exclude
 */
public final class SharnnGenerator extends ModelTransformer<SharnnGenerator> {

  private static final long serialVersionUID = 1;

  private final IntParam length = new IntParam(this, "length", "tokens to generate at most");
  private final DoubleParam temperature =
      new DoubleParam(this, "temperature", "divisor of the logits");
  private final IntParam topK =
      new IntParam(this, "topK", "most probable tokens to sample from; 0 for all");
  private final DoubleParam topP =
      new DoubleParam(this, "topP", "total probability of the tokens to sample from");
  private final DoubleParam minP =
      new DoubleParam(this, "minP", "least probability of a token, as a share of the largest");
  private final DoubleParam repetitionPenalty =
      new DoubleParam(this, "repetitionPenalty", "divisor of the logits of recent tokens");
  private final IntParam repetitionWindow =
      new IntParam(this, "repetitionWindow", "last tokens that the penalty covers");
  private final Param<String> stop =
      text("stop", "text after which generation stops; empty for none");
  private final LongParam seed = new LongParam(this, "seed", "seed of the job");
  private final Param<String> outputCol = text("outputCol", "column of the generated text");
  private final Param<String> seedCol =
      text("seedCol", "column of the rows' own seeds; empty for none");

  /** Creates a generator with a random identifier. */
  public SharnnGenerator() {
    this(Identifiable$.MODULE$.randomUID("sharnnGenerator"));
  }

  /**
   * Creates a generator.
   *
   * @param uid the identifier of the stage in its pipeline
   */
  public SharnnGenerator(String uid) {
    super(uid, "generationError", 64);
    setDefault(length, 400);
    setDefault(temperature, 1.0);
    setDefault(topK, 0);
    setDefault(topP, 1.0);
    setDefault(minP, 0.0);
    setDefault(repetitionPenalty, 1.0);
    setDefault(repetitionWindow, 64);
    setDefault(stop, "");
    setDefault(seed, 42L);
    setDefault(outputCol, "generated");
    setDefault(seedCol, "");
  }

  /** {@return a reader of saved generators} */
  public static MLReader<SharnnGenerator> read() {
    return new DefaultParamsReader<>();
  }

  /**
   * {@return a saved generator}
   *
   * @param path the folder that {@code save} has written
   */
  public static SharnnGenerator load(String path) {
    return read().load(path);
  }

  /** {@return the maximum number of tokens to generate} The default is 400. */
  public IntParam length() {
    return length;
  }

  /** {@return the temperature, which divides the logits} The default is 1. */
  public DoubleParam temperature() {
    return temperature;
  }

  /** {@return how many of the most probable tokens to sample from} The default is 0. */
  public IntParam topK() {
    return topK;
  }

  /** {@return the total probability of the tokens to sample from} The default is 1. */
  public DoubleParam topP() {
    return topP;
  }

  /** {@return the least probability of a token, as a share of the largest one} The default is 0. */
  public DoubleParam minP() {
    return minP;
  }

  /** {@return the repetition penalty of recent tokens} The default is 1. */
  public DoubleParam repetitionPenalty() {
    return repetitionPenalty;
  }

  /** {@return how many of the last tokens the penalty covers} The default is 64. */
  public IntParam repetitionWindow() {
    return repetitionWindow;
  }

  /** {@return the text after which generation stops} The default is none. */
  public Param<String> stop() {
    return stop;
  }

  /** {@return the seed of the job} The default is 42. */
  public LongParam seed() {
    return seed;
  }

  /** {@return the name of the new column of text} The default is {@code generated}. */
  public Param<String> outputCol() {
    return outputCol;
  }

  /** {@return the column of the rows' own seeds} The default is none. */
  public Param<String> seedCol() {
    return seedCol;
  }

  /**
   * Sets the maximum number of tokens to generate. Default 400.
   *
   * @param value at least 1
   * @return this generator
   */
  public SharnnGenerator setLength(int value) {
    set(length, value);
    return this;
  }

  /**
   * Sets the temperature, which divides the logits. Default 1.
   *
   * @param value above 0 and finite; below 1 prefers probable tokens
   * @return this generator
   */
  public SharnnGenerator setTemperature(double value) {
    set(temperature, value);
    return this;
  }

  /**
   * Sets how many of the most probable tokens to sample from. Default 0.
   *
   * @param value at least 0; 0 for all
   * @return this generator
   */
  public SharnnGenerator setTopK(int value) {
    set(topK, value);
    return this;
  }

  /**
   * Sets the total probability of the tokens to sample from. Default 1.
   *
   * @param value in (0, 1]; 1 for all
   * @return this generator
   */
  public SharnnGenerator setTopP(double value) {
    set(topP, value);
    return this;
  }

  /**
   * Sets the least probability of a token, as a share of the largest one. Default 0.
   *
   * @param value in [0, 1]; 0 for all
   * @return this generator
   */
  public SharnnGenerator setMinP(double value) {
    set(minP, value);
    return this;
  }

  /**
   * Sets the repetition penalty of recent tokens. Default 1.
   *
   * @param value above 0 and finite; 1 for none
   * @return this generator
   */
  public SharnnGenerator setRepetitionPenalty(double value) {
    set(repetitionPenalty, value);
    return this;
  }

  /**
   * Sets how many of the last tokens the penalty covers. Default 64.
   *
   * @param value at least 0
   * @return this generator
   */
  public SharnnGenerator setRepetitionWindow(int value) {
    set(repetitionWindow, value);
    return this;
  }

  /**
   * Sets the text after which generation stops. Default none.
   *
   * @param value the text, which the output includes; empty for none
   * @return this generator
   */
  public SharnnGenerator setStop(String value) {
    set(stop, value);
    return this;
  }

  /**
   * Sets the seed of the job. Default 42.
   *
   * @param value any
   * @return this generator
   */
  public SharnnGenerator setSeed(long value) {
    set(seed, value);
    return this;
  }

  /**
   * Sets the name of the new column of text. Default {@code generated}.
   *
   * @param value the name of a new column
   * @return this generator
   */
  public SharnnGenerator setOutputCol(String value) {
    set(outputCol, value);
    return this;
  }

  /**
   * Sets the column of the rows' own seeds. Default none.
   *
   * @param value the name of a column of longs; empty for none
   * @return this generator
   */
  public SharnnGenerator setSeedCol(String value) {
    set(seedCol, value);
    return this;
  }

  @Override
  TextWork work() {
    Sampler sampler =
        new Sampler(
            floatValue(temperature),
            intValue(topK),
            floatValue(topP),
            floatValue(minP),
            floatValue(repetitionPenalty));
    return new Generation(
        intValue(batchSize()),
        intValue(length),
        sampler,
        intValue(repetitionWindow),
        getOrDefault(stop));
  }

  private float floatValue(DoubleParam param) {
    return ((Double) getOrDefault(param)).floatValue();
  }

  @Override
  StructType columns() {
    return new StructType().add(getOrDefault(outputCol), DataTypes.StringType);
  }

  @Override
  RowSeeds rowSeeds() {
    return new RowSeeds((Long) getOrDefault(seed));
  }

  @Override
  String seedColumn() {
    return getOrDefault(seedCol);
  }

  @Override
  public StructType transformSchema(StructType schema) {
    if (!seedColumn().isEmpty()) {
      checkColumn(schema, seedCol, seedColumn(), DataTypes.LongType);
    }
    return super.transformSchema(schema);
  }
}
