package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.optim.OuterStep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.time.Duration;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.spark.SparkContext;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;

/**
 * An estimator that trains a language model with several executors, by the method DiLoCo. Each
 * executor runs {@link io.github.sharnn.train.SHARNNTrainer#fit} on its own share of the training
 * part, on its own GPU or CPU. After every {@code interval} steps, all of them take an {@link
 * OuterStep} together. They send their changes to each other over TCP.
 *
 * <pre>{@code
 * SharnnModel model =
 *     new SharnnDistributedTrainer()
 *         .setNumWorkers(2)
 *         .setModel("/shared/models/book")
 *         .setCheckpoints("/shared/checkpoints/book")
 *         .fit(spark.read().text("/shared/book.txt"));
 * }</pre>
 *
 * <p>The data frame names the corpus and the session. Its rows are not read, because a language
 * model reads a text in order: the workers map the file into memory.
 *
 * <p>With one worker and an outer momentum of 0, the result is that of {@code fit}, to the bit.
 *
 * <p>With checkpoints, a training goes on after the loss of an executor: Spark starts the stage
 * again, and all workers resume the newest checkpoint that all of them have. On CPUs, a training
 * whose budget is a number of steps then ends with the weights of an undisturbed one, to the bit. A
 * second {@code fit} with the same folder of checkpoints resumes too; that of a complete training
 * returns its result.
 *
 * @serial exclude
 */
public final class SharnnDistributedTrainer extends TrainerParams<SharnnDistributedTrainer> {

  private static final long serialVersionUID = 1;

  private final IntParam numWorkers = new IntParam(this, "numWorkers", "executors that train");
  private final IntParam interval = new IntParam(this, "interval", "steps between outer steps");
  private final DoubleParam outerRate = new DoubleParam(this, "outerRate", "outer learning rate");
  private final DoubleParam outerMomentum =
      new DoubleParam(this, "outerMomentum", "Nesterov momentum of the outer step");
  private final Param<String> checkpoints = text("checkpoints", "shared folder of checkpoints");
  private final IntParam checkpointRounds =
      new IntParam(this, "checkpointRounds", "outer steps between checkpoints");
  private final IntParam timeoutSeconds =
      new IntParam(this, "timeoutSeconds", "longest time that a worker waits for another one");

  /** Creates a trainer with a random identifier. */
  public SharnnDistributedTrainer() {
    this(Identifiable$.MODULE$.randomUID("sharnnDistributedTrainer"));
  }

  /**
   * Creates a trainer.
   *
   * @param uid the identifier of the stage in its pipeline
   */
  public SharnnDistributedTrainer(String uid) {
    super(uid);
    setDefault(numWorkers, 1);
    setDefault(outerRate, 1.0);
    setDefault(outerMomentum, 0.3);
    setDefault(checkpoints, "");
    setDefault(checkpointRounds, 1);
    setDefault(timeoutSeconds, 600);
  }

  /** {@return a reader of saved trainers} */
  public static MLReader<SharnnDistributedTrainer> read() {
    return new DefaultParamsReader<>();
  }

  /**
   * {@return a saved trainer}
   *
   * @param path the folder that {@code save} has written
   */
  public static SharnnDistributedTrainer load(String path) {
    return read().load(path);
  }

  /** {@return the number of workers} The default is 1. */
  public IntParam numWorkers() {
    return numWorkers;
  }

  /**
   * {@return the steps between outer steps} The default is 5 for the recipe {@code small}, and 100
   * for the others.
   */
  public IntParam interval() {
    return interval;
  }

  /** {@return the learning rate of the outer step} The default is 1. */
  public DoubleParam outerRate() {
    return outerRate;
  }

  /** {@return the Nesterov momentum of the outer step} The default is 0.3. */
  public DoubleParam outerMomentum() {
    return outerMomentum;
  }

  /** {@return the folder of the checkpoints} The default is none. */
  public Param<String> checkpoints() {
    return checkpoints;
  }

  /** {@return the outer steps between checkpoints} The default is 1. */
  public IntParam checkpointRounds() {
    return checkpointRounds;
  }

  /**
   * {@return the longest time in seconds that a worker waits for another one} The default is 600.
   */
  public IntParam timeoutSeconds() {
    return timeoutSeconds;
  }

  /**
   * Sets the number of workers, each of which is an executor of its own. Default 1.
   *
   * @param value at least 1, and at most the tasks that the cluster can run at once
   * @return this trainer
   */
  public SharnnDistributedTrainer setNumWorkers(int value) {
    set(numWorkers, value);
    return this;
  }

  /**
   * Sets the steps of each worker between two outer steps. Default 5 for the recipe {@code small},
   * and 100 for the others. The publications take 30 with Muon and up to 500 with AdamW.
   *
   * @param value at least 1
   * @return this trainer
   */
  public SharnnDistributedTrainer setInterval(int value) {
    set(interval, value);
    return this;
  }

  /**
   * Sets the learning rate of the outer step. Default 1.
   *
   * @param value above 0
   * @return this trainer
   */
  public SharnnDistributedTrainer setOuterRate(double value) {
    set(outerRate, value);
    return this;
  }

  /**
   * Sets the Nesterov momentum of the outer step. Default 0.3. Long trainings, of hundreds of outer
   * steps, may take up to 0.9.
   *
   * @param value at least 0 and below 1
   * @return this trainer
   */
  public SharnnDistributedTrainer setOuterMomentum(double value) {
    set(outerMomentum, value);
    return this;
  }

  /**
   * Sets the folder of the checkpoints. Default none: after a loss, the training starts anew.
   *
   * @param folder a folder on a disk that the hosts of the driver and of all executors mount; empty
   *     for none
   * @return this trainer
   */
  public SharnnDistributedTrainer setCheckpoints(String folder) {
    set(checkpoints, folder);
    return this;
  }

  /**
   * Sets the number of outer steps between checkpoints. Default 1.
   *
   * @param value at least 1
   * @return this trainer
   */
  public SharnnDistributedTrainer setCheckpointRounds(int value) {
    set(checkpointRounds, value);
    return this;
  }

  /**
   * Sets how long a worker waits for another one before the job fails. Default 600.
   *
   * @param value at least 1
   * @return this trainer
   */
  public SharnnDistributedTrainer setTimeoutSeconds(int value) {
    set(timeoutSeconds, value);
    return this;
  }

  private int atLeastOne(IntParam param) {
    int value = (Integer) getOrDefault(param);
    checkArgument(value >= 1, "%s must be at least 1, but is %s", param.name(), value);
    return value;
  }

  /** Returns the settings of the outer step for a recipe. */
  OuterStep.Settings outer(Recipe of) {
    return new OuterStep.Settings(
        isSet(interval) ? atLeastOne(interval) : of == Recipe.SMALL ? 5 : 100,
        ((Double) getOrDefault(outerRate)).floatValue(),
        ((Double) getOrDefault(outerMomentum)).floatValue(),
        atLeastOne(numWorkers));
  }

  private TrainingJob job(Dataset<?> dataset, SparkContext context) throws IOException {
    checkArgument(isSet(model()), "model must name a folder to save to: call setModel");
    Configuration configuration = context.hadoopConfiguration();
    Path folder = new Path(getOrDefault(model()));
    String checkpointFolder = getOrDefault(checkpoints);
    if (!getOrDefault(split()).isEmpty()) {
      TrainingJob.sizes(getOrDefault(split()));
    }
    Recipe of = checkedRecipe();
    return new TrainingJob(
        outer(of),
        stage(of),
        of,
        checkedConfig(of),
        getOrDefault(options()),
        isSet(corpus()) ? local("corpus", getOrDefault(corpus())) : file(dataset, configuration),
        getOrDefault(split()),
        folder.getFileSystem(configuration).makeQualified(folder).toString(),
        checkpointFolder.isEmpty() ? "" : local("checkpoints", checkpointFolder),
        atLeastOne(checkpointRounds),
        getOrDefault(device()),
        Duration.ofSeconds(atLeastOne(timeoutSeconds)),
        ".sharnn-" + UUID.randomUUID(),
        new SerializableConfiguration(configuration));
  }

  private static String file(Dataset<?> dataset, Configuration configuration) {
    String[] files = dataset.inputFiles();
    checkArgument(
        files.length == 1,
        "the data frame must read exactly one file, the corpus, but reads %s: call setCorpus",
        files.length);
    return file(files[0], configuration);
  }

  /** Returns the local path of a file that a data frame reads, which Spark names by its URI. */
  static String file(String uri, Configuration configuration) {
    Path file = new Path(URI.create(uri));
    checkArgument(
        new CompressionCodecFactory(configuration).getCodec(file) == null,
        "the data frame must read a file without compression, since workers map the file into memory, but"
            + " reads %s: decompress it",
        file);
    return local("corpus", file.toString());
  }

  private static String local(String option, String path) {
    Path parsed = new Path(path);
    String scheme = parsed.toUri().getScheme();
    checkArgument(
        scheme == null || scheme.equals("file") || scheme.equals("sparkfiles"),
        "%s must be on a disk that the hosts mount, because its files are mapped or locked, but is %s:"
            + " copy it to such a disk",
        option,
        path);
    if ("sparkfiles".equals(scheme)) {
      return path;
    }
    return java.nio.file.Path.of(parsed.toUri().getPath()).toAbsolutePath().toString();
  }

  /**
   * Trains, saves the model, and returns it.
   *
   * @param dataset a data frame that reads the corpus; any one if {@code corpus} is set
   * @return the trained model, with the reports of the training
   * @throws IllegalArgumentException if an option breaks its rule, a worker does not find the
   *     corpus or the folders, the corpus is too short, or workers share an executor or a GPU
   * @throws IllegalStateException if a worker fails or hangs; the message names it
   * @throws UncheckedIOException if the driver can't create the folders
   */
  @Override
  public SharnnModel fit(Dataset<?> dataset) {
    SparkContext context = dataset.sparkSession().sparkContext();
    try {
      TrainingJob job = job(dataset, context);
      TrainingJob.Result result = new TrainingDriver(context, job).run();
      return SharnnModel.trained(uid(), job.model(), result).setParent(this);
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }

  @Override
  public StructType transformSchema(StructType schema) {
    return new SharnnScorer().transformSchema(schema);
  }

  @Override
  public SharnnDistributedTrainer copy(ParamMap extra) {
    return defaultCopy(extra);
  }
}
