package io.github.sharnn.spark;

import io.github.sharnn.train.StepReport;
import java.util.List;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWritable;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * A model that {@link SharnnDistributedTrainer} has trained and saved. As a transformer it scores
 * texts like a {@link SharnnScorer} with default options.
 *
 * <p>Saving keeps the path of the model, not the model and not the reports.
 *
 * @serial exclude
 */
public final class SharnnModel extends Model<SharnnModel> implements DefaultParamsWritable {

  private static final long serialVersionUID = 1;

  private final String uid;
  private final Param<String> model;
  private final TrainingJob.Result result;

  /** Creates a model with a random identifier, for {@link #load}. */
  public SharnnModel() {
    this(Identifiable$.MODULE$.randomUID("sharnnModel"));
  }

  /**
   * Creates a model, for {@link #load}.
   *
   * @param uid the identifier of the stage in its pipeline
   */
  public SharnnModel(String uid) {
    this(uid, new TrainingJob.Result(List.of(), 0, 0, 0, 0));
  }

  private SharnnModel(String uid, TrainingJob.Result result) {
    this.uid = uid;
    this.result = result;
    model = new Param<>(this, "model", "folder of the saved model");
  }

  /** Returns a model that has just been saved. */
  static SharnnModel trained(String uid, String path, TrainingJob.Result result) {
    SharnnModel trained = new SharnnModel(uid, result);
    trained.set(trained.model, path);
    return trained;
  }

  TrainingJob.Result result() {
    return result;
  }

  /** {@return a reader of saved models} */
  public static MLReader<SharnnModel> read() {
    return new DefaultParamsReader<>();
  }

  /**
   * {@return a saved model}
   *
   * @param path the folder that {@code save} has written
   */
  public static SharnnModel load(String path) {
    return read().load(path);
  }

  @Override
  public String uid() {
    return uid;
  }

  /** {@return the folder of the saved model} */
  public Param<String> model() {
    return model;
  }

  /** {@return the path of the saved model} */
  public String path() {
    return getOrDefault(model);
  }

  /** {@return a scorer with this model, whose options can be changed} */
  public SharnnScorer scorer() {
    return new SharnnScorer().setModel(path());
  }

  /** {@return a generator with this model, whose options can be changed} */
  public SharnnGenerator generator() {
    return new SharnnGenerator().setModel(path());
  }

  /**
   * {@return worker 0's reports of the steps with a validation figure, in order; empty for a loaded
   * model}
   */
  public List<StepReport> evaluations() {
    return result.evaluations();
  }

  /** {@return the steps that worker 0 has trained; 0 for a loaded model} */
  public long steps() {
    return result.steps();
  }

  /** {@return the training time of worker 0 in seconds; 0 for a loaded model} */
  public double seconds() {
    return result.seconds();
  }

  /**
   * {@return the time that the outer steps of worker 0 took since the last resume, in seconds, with
   * the waiting for other workers; 0 for a loaded model}
   */
  public double outerSeconds() {
    return result.outerSeconds();
  }

  /** {@return the outer steps of worker 0 since the last resume; 0 for a loaded model} */
  public int outerSteps() {
    return result.outerSteps();
  }

  @Override
  public Dataset<Row> transform(Dataset<?> dataset) {
    return scorer().transform(dataset);
  }

  @Override
  public StructType transformSchema(StructType schema) {
    return scorer().transformSchema(schema);
  }

  @Override
  public SharnnModel copy(ParamMap extra) {
    SharnnModel copy = new SharnnModel(uid, result);
    copyValues(copy, extra);
    return copy.setParent(parent());
  }
}
