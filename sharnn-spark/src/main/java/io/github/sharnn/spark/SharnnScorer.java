package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.spark.TextWork.RowSeeds;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A transformer that scores texts with a saved model. A text with many bits per byte is an anomaly
 * to the model.
 *
 * <pre>{@code
 * SharnnScorer scorer = new SharnnScorer().setModel("hdfs:///models/log").setInputCol("value");
 * scorer.transform(lines).where("bitsPerByte > 4").show();
 * }</pre>
 *
 * <p>The new columns and their default names:
 *
 * <ul>
 *   <li>{@code bits}: the sum of -log2 p over the tokens, a double
 *   <li>{@code bitsPerByte}: the bits for each byte of the text, a double, null without tokens
 *   <li>{@code surprisingPosition}: the index of the token with the lowest p, from 0, an int, null
 *       without tokens; in a model of bytes it is the byte's offset
 *   <li>{@code surprisingToken}: that token's text; a byte as a character from U+0000 to U+00FF
 *   <li>{@code scoreError}: the error of the row, null for a good row
 *   <li>only if {@link #setTokenScoresCol} names it: an array with a structure for each token, of
 *       {@code token}, {@code bits}, {@code rank} (1 is the model's best guess) and {@code entropy}
 *       in bits
 * </ul>
 *
 * <p>The figures are those of {@code sharnn.jar score --lines} and of {@link
 * io.github.sharnn.score.Scorer}, except for rounding of less than 1e-5 for each token.
 *
 * @serial exclude
 */
public final class SharnnScorer extends ModelTransformer<SharnnScorer> {

  private static final long serialVersionUID = 1;

  private final Param<String> bitsCol = text("bitsCol", "column of the bits");
  private final Param<String> bitsPerByteCol =
      text("bitsPerByteCol", "column of the bits for each byte");
  private final Param<String> positionCol =
      text("positionCol", "column of the most surprising token's index");
  private final Param<String> tokenCol = text("tokenCol", "column of the most surprising token");
  private final Param<String> tokenScoresCol =
      text("tokenScoresCol", "column of all tokens' scores; empty for none");
  private final BooleanParam lineEnd =
      new BooleanParam(this, "lineEnd", "score a newline after each text that lacks one");
  private final IntParam segmentLength =
      new IntParam(
          this, "segmentLength", "tokens that go through the model at once; 0 for the default");

  /** Creates a scorer with a random identifier. */
  public SharnnScorer() {
    this(Identifiable$.MODULE$.randomUID("sharnnScorer"));
  }

  /**
   * Creates a scorer.
   *
   * @param uid the identifier of the stage in its pipeline
   */
  public SharnnScorer(String uid) {
    super(uid, "scoreError", 16);
    setDefault(bitsCol, "bits");
    setDefault(bitsPerByteCol, "bitsPerByte");
    setDefault(positionCol, "surprisingPosition");
    setDefault(tokenCol, "surprisingToken");
    setDefault(tokenScoresCol, "");
    setDefault(lineEnd, true);
    setDefault(segmentLength, 0);
  }

  /** {@return a reader of saved scorers} */
  public static MLReader<SharnnScorer> read() {
    return new DefaultParamsReader<>();
  }

  /**
   * {@return a saved scorer}
   *
   * @param path the folder that {@code save} has written
   */
  public static SharnnScorer load(String path) {
    return read().load(path);
  }

  /** {@return the name of the new column with the bits} The default is {@code bits}. */
  public Param<String> bitsCol() {
    return bitsCol;
  }

  /**
   * {@return the name of the new column with the bits for each byte} The default is {@code
   * bitsPerByte}.
   */
  public Param<String> bitsPerByteCol() {
    return bitsPerByteCol;
  }

  /**
   * {@return the name of the new column with the most surprising token's index} The default is
   * {@code surprisingPosition}.
   */
  public Param<String> positionCol() {
    return positionCol;
  }

  /**
   * {@return the name of the new column with the most surprising token} The default is {@code
   * surprisingToken}.
   */
  public Param<String> tokenCol() {
    return tokenCol;
  }

  /**
   * {@return the name of the new column with all scores, or an empty name, the default, for none}
   */
  public Param<String> tokenScoresCol() {
    return tokenScoresCol;
  }

  /**
   * {@return true, the default, to score a newline after each text that does not end with one} An
   * early end of a line is then surprising too, as in {@code sharnn.jar score --lines}.
   */
  public BooleanParam lineEnd() {
    return lineEnd;
  }

  /**
   * {@return how many tokens go through the model at once} The default, 0, is 256 or half of the
   * model's memory, if that is less.
   */
  public IntParam segmentLength() {
    return segmentLength;
  }

  /**
   * Sets the column of the bits. Default {@code bits}.
   *
   * @param name the name of a new column
   * @return this scorer
   */
  public SharnnScorer setBitsCol(String name) {
    set(bitsCol, name);
    return this;
  }

  /**
   * Sets the column of the bits for each byte. Default {@code bitsPerByte}.
   *
   * @param name the name of a new column
   * @return this scorer
   */
  public SharnnScorer setBitsPerByteCol(String name) {
    set(bitsPerByteCol, name);
    return this;
  }

  /**
   * Sets the column of the most surprising token's index. Default {@code surprisingPosition}.
   *
   * @param name the name of a new column
   * @return this scorer
   */
  public SharnnScorer setPositionCol(String name) {
    set(positionCol, name);
    return this;
  }

  /**
   * Sets the column of the most surprising token. Default {@code surprisingToken}.
   *
   * @param name the name of a new column
   * @return this scorer
   */
  public SharnnScorer setTokenCol(String name) {
    set(tokenCol, name);
    return this;
  }

  /**
   * Adds a column of all tokens' scores. Default none.
   *
   * @param name the name of a new column; an empty name for none
   * @return this scorer
   */
  public SharnnScorer setTokenScoresCol(String name) {
    set(tokenScoresCol, name);
    return this;
  }

  /**
   * Scores a newline after each text that does not end with one. Default true.
   *
   * @param score false to score the text alone
   * @return this scorer
   */
  public SharnnScorer setLineEnd(boolean score) {
    set(lineEnd, score);
    return this;
  }

  /**
   * Sets how many tokens go through the model at once, as {@link
   * io.github.sharnn.score.Scorer.Builder#segmentLength} does.
   *
   * @param tokens at least 1; 0 for the default
   * @return this scorer
   */
  public SharnnScorer setSegmentLength(int tokens) {
    set(segmentLength, tokens);
    return this;
  }

  @Override
  TextWork work() {
    int tokens = intValue(segmentLength);
    checkArgument(
        tokens >= 0,
        "segmentLength must be at least 1 token, or 0 for the default, but is %s",
        tokens);
    return new Scoring(
        intValue(batchSize()), tokens, (Boolean) getOrDefault(lineEnd), withTokenScores());
  }

  private boolean withTokenScores() {
    return !getOrDefault(tokenScoresCol).isEmpty();
  }

  @Override
  StructType columns() {
    StructType columns =
        new StructType()
            .add(getOrDefault(bitsCol), DataTypes.DoubleType)
            .add(getOrDefault(bitsPerByteCol), DataTypes.DoubleType)
            .add(getOrDefault(positionCol), DataTypes.IntegerType)
            .add(getOrDefault(tokenCol), DataTypes.StringType);
    return withTokenScores()
        ? columns.add(getOrDefault(tokenScoresCol), DataTypes.createArrayType(Scoring.TOKEN))
        : columns;
  }

  @Override
  RowSeeds rowSeeds() {
    return new RowSeeds(0);
  }

  @Override
  String seedColumn() {
    return "";
  }
}
