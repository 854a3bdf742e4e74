package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.util.JsonUtils;
import com.google.gson.JsonObject;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.io.Records;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.TrainingStage;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.LongParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.util.DefaultParamsWritable;

/**
 * An estimator with the options of a training on one machine: the corpus, the model, the training
 * and the folder to save to.
 *
 * @param <T> the type of the estimator
 * @serial exclude
 */
public abstract class TrainerParams<T extends TrainerParams<T>> extends Estimator<SharnnModel>
    implements DefaultParamsWritable {

  private static final long serialVersionUID = 1;

  private final String uid;
  private final Param<String> model;
  private final Param<String> corpus;
  private final Param<String> split;
  private final Param<String> recipe;
  private final Param<String> config;
  private final Param<String> options;
  private final DoubleParam learningRate;
  private final IntParam warmUpSteps;
  private final LongParam steps;
  private final DoubleParam seconds;
  private final Param<String> device;

  /**
   * Declares the options.
   *
   * @param uid the identifier of the stage in its pipeline
   */
  TrainerParams(String uid) {
    this.uid = uid;
    model = text("model", "folder to save the model to");
    corpus = text("corpus", "file or folder of the corpus");
    split = text("split", "bytes of training, validation and test");
    recipe = text("recipe", "recipe of all options that are not set");
    config = text("config", "config of the model, as JSON");
    options = text("options", "training options, as JSON");
    learningRate = new DoubleParam(this, "learningRate", "peak of the learning rate");
    warmUpSteps = new IntParam(this, "warmUpSteps", "steps of warm-up");
    steps = new LongParam(this, "steps", "steps of each worker");
    seconds = new DoubleParam(this, "seconds", "training time");
    device = text("device", "auto, cpu, gpu, gpu0, gpu1 and so on");
    setDefault(split, "");
    setDefault(recipe, Recipe.SMALL.toString());
    setDefault(config, "");
    setDefault(options, "{}");
    setDefault(device, "auto");
  }

  final Param<String> text(String name, String description) {
    return new Param<>(this, name, description);
  }

  @SuppressWarnings("unchecked")
  final T self() {
    return (T) this;
  }

  @Override
  public String uid() {
    return uid;
  }

  /** {@return the folder to save the model to} It has no default. */
  public Param<String> model() {
    return model;
  }

  /**
   * {@return the file or folder of the corpus} The default is the one file that the data frame
   * reads.
   */
  public Param<String> corpus() {
    return corpus;
  }

  /** {@return the bytes of the three parts of a file} The default is 90%, 5% and 5% of it. */
  public Param<String> split() {
    return split;
  }

  /** {@return the recipe} The default is {@code small}. */
  public Param<String> recipe() {
    return recipe;
  }

  /** {@return the config of the model, as JSON} The default is the recipe's. */
  public Param<String> config() {
    return config;
  }

  /** {@return the training options that differ from the recipe's, as a JSON object} */
  public Param<String> options() {
    return options;
  }

  /** {@return the peak of the learning rate} The default is the recipe's. */
  public DoubleParam learningRate() {
    return learningRate;
  }

  /** {@return the steps of warm-up} The default is the recipe's. */
  public IntParam warmUpSteps() {
    return warmUpSteps;
  }

  /** {@return the steps of each worker} The default is the recipe's budget. */
  public LongParam steps() {
    return steps;
  }

  /** {@return the training time in seconds} The default is the recipe's budget. */
  public DoubleParam seconds() {
    return seconds;
  }

  /** {@return the name of the device} The default is {@code auto}. */
  public Param<String> device() {
    return device;
  }

  /**
   * Sets the folder to save the model to.
   *
   * @param path a folder of a Hadoop file system that the driver and all executors reach
   * @return this estimator
   */
  public T setModel(String path) {
    set(model, path);
    return self();
  }

  /**
   * Sets the corpus. Each worker reads its share of the training part, and all of the validation
   * part.
   *
   * @param path a file or a folder of three files, on a disk that every executor's host mounts; or
   *     {@code sparkfiles:NAME}, a file sent with {@code --files}
   * @return this estimator
   */
  public T setCorpus(String path) {
    set(corpus, path);
    return self();
  }

  /**
   * Sets the split of a corpus that is one file. Bytes after the three parts are ignored.
   *
   * @param train bytes to train on
   * @param validation bytes to validate on
   * @param test bytes to test on
   * @return this estimator
   */
  public T setSplit(long train, long validation, long test) {
    set(split, train + "," + validation + "," + test);
    return self();
  }

  /**
   * Sets the recipe, whose first stage is trained. Default {@code small}.
   *
   * @param name the name of a {@link Recipe} on bytes, such as {@code fast}
   * @return this estimator
   */
  public T setRecipe(String name) {
    set(recipe, name);
    return self();
  }

  /**
   * Sets the model's config, as {@code Recipe.SMALL.model().embeddingSize(64).config()} returns it.
   *
   * @param value the config of a model on bytes
   * @return this estimator
   */
  public T setConfig(SHARNNConfig value) {
    set(config, value.toJson());
    return self();
  }

  /**
   * Sets a training option.
   *
   * @param name a component of {@link io.github.sharnn.train.TrainingOptions}, such as {@code
   *     batchSize}
   * @param value the number, text or truth value
   * @return this estimator
   */
  public T setOption(String name, Object value) {
    JsonObject all = JsonUtils.GSON.fromJson(getOrDefault(options), JsonObject.class);
    all.add(name, JsonUtils.GSON.toJsonTree(value));
    set(options, all.toString());
    return self();
  }

  /**
   * Sets the peak of the learning rate.
   *
   * @param value above 0
   * @return this estimator
   */
  public T setLearningRate(double value) {
    set(learningRate, value);
    return self();
  }

  /**
   * Sets the steps of warm-up.
   *
   * @param value at least 0
   * @return this estimator
   */
  public T setWarmUpSteps(int value) {
    set(warmUpSteps, value);
    return self();
  }

  /**
   * Sets the budget to a number of steps of each worker.
   *
   * @param value at least 1
   * @return this estimator
   */
  public T setSteps(long value) {
    clear(seconds);
    set(steps, value);
    return self();
  }

  /**
   * Sets the budget to a training time. All workers end with the first one whose time is up.
   *
   * @param value above 0
   * @return this estimator
   */
  public T setSeconds(double value) {
    clear(steps);
    set(seconds, value);
    return self();
  }

  /**
   * Sets the device. Default {@code auto}: the GPU that Spark has assigned to the task, or else the
   * GPU that DJL finds, or else the CPU.
   *
   * @param name {@code auto}, {@code cpu}, {@code gpu}, {@code gpu0} and so on
   * @return this estimator
   */
  public T setDevice(String name) {
    set(device, name);
    return self();
  }

  /** Returns the recipe, and checks it and the training options. */
  final Recipe checkedRecipe() {
    String name = getOrDefault(recipe);
    Optional<Recipe> found =
        Arrays.stream(Recipe.values()).filter(each -> each.toString().equals(name)).findFirst();
    checkArgument(
        found.isPresent() && found.get().subwords() == 0,
        "recipe must be one of %s, but is %s",
        Arrays.stream(Recipe.values()).filter(each -> each.subwords() == 0).toList(),
        name);
    TrainingJob.options(found.get(), getOrDefault(options), Device.cpu());
    return found.get();
  }

  final SHARNNConfig checkedConfig(Recipe of) {
    String json = getOrDefault(config);
    SHARNNConfig checked = json.isEmpty() ? of.model().config() : SHARNNConfig.fromJson(json);
    checkArgument(
        checked.vocabularySize() <= 1 << Byte.SIZE,
        "config must be that of a model on bytes, but its vocabularySize is %s",
        checked.vocabularySize());
    return checked;
  }

  /** Returns the learning rate and the budget. */
  final TrainingStage stage(Recipe of) {
    TrainingStage first = of.stages().get(0);
    LearningRateSchedule rate = first.learningRate();
    if (isSet(learningRate)) {
      float peak = ((Double) getOrDefault(learningRate)).floatValue();
      float last = rate.finalRate() == rate.peak() ? peak : Math.min(rate.finalRate(), peak);
      rate = Records.with(rate, "peak", peak, "finalRate", last);
    }
    if (isSet(warmUpSteps)) {
      rate = Records.with(rate, "warmUpSteps", getOrDefault(warmUpSteps));
    }
    Budget budget = first.budget();
    if (isSet(steps)) {
      budget = Budget.steps((Long) getOrDefault(steps));
    } else if (isSet(seconds)) {
      budget = Budget.time(Duration.ofNanos((long) ((Double) getOrDefault(seconds) * 1e9)));
    }
    return new TrainingStage(rate, budget.patience(0));
  }
}
