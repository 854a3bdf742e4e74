package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.util.JsonUtils;
import com.google.common.base.Splitter;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import com.google.common.primitives.Longs;
import com.google.gson.JsonObject;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.io.Records;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.train.TrainingStage;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.OuterStep;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.SparkFiles;
import org.apache.spark.util.SerializableConfiguration;

/**
 * A training that the driver sends to its workers.
 *
 * @param outer the outer step, with the number of workers
 * @param stage the learning rate and the budget
 * @param recipe the source of all options that are not set
 * @param config the config of the model
 * @param options the options that differ from the recipe's, as a JSON object
 * @param corpus the file or folder of the corpus, or {@code sparkfiles:NAME}
 * @param split the bytes of the three parts of a file, or an empty text for 90%, 5% and 5%
 * @param model the folder to save to, qualified with its Hadoop file system
 * @param checkpoints the folder of the checkpoints on a shared disk, or an empty text for none
 * @param checkpointRounds outer steps between checkpoints
 * @param device the name of the device
 * @param timeout the longest time that workers wait for each other
 * @param marker the name of a file that the driver has put into both folders
 * @param configuration Hadoop's
 */
record TrainingJob(
    OuterStep.Settings outer,
    TrainingStage stage,
    Recipe recipe,
    SHARNNConfig config,
    String options,
    String corpus,
    String split,
    String model,
    String checkpoints,
    int checkpointRounds,
    String device,
    Duration timeout,
    String marker,
    SerializableConfiguration configuration)
    implements Serializable {

  private static final String SPARK_FILES = "sparkfiles:";
  private static final String NAME = "model";
  private static final String WORKERS = "workers.json";

  /** The workers that have written the checkpoints of a folder. */
  private record Team(int workers) {}

  /**
   * The result of a training.
   *
   * @param evaluations the reports with a figure
   * @param steps the steps of worker 0
   * @param seconds its training time
   * @param outerSteps the outer steps since the last resume
   * @param outerSeconds their time, with the waiting for other workers
   */
  record Result(
      List<StepReport> evaluations, long steps, double seconds, int outerSteps, double outerSeconds)
      implements Serializable {}

  /** Returns the options for a device. */
  static TrainingOptions options(Recipe recipe, String changes, Device device) {
    JsonObject all =
        JsonUtils.GSON
            .toJsonTree(recipe.options(MixedPrecisionWeights.orDefault(null, device)))
            .getAsJsonObject();
    JsonObject given = JsonUtils.GSON.fromJson(changes, JsonObject.class);
    if (given.has("batchSize")) {
      all.add("evaluationStreams", given.get("batchSize")); // as in the builder
    }
    given.entrySet().forEach(option -> all.add(option.getKey(), option.getValue()));
    return Records.fromJson(TrainingOptions.class, "options", all.toString());
  }

  /** Starts a trainer of a model. */
  SHARNNTrainer.Builder trainer(Model trained) {
    TrainingOptions all = options(recipe, options, trained.getNDManager().getDevice());
    SHARNNTrainer.Builder builder = all.trainer(trained).precision(all.precision());
    LearningRateSchedule rate = stage.learningRate();
    return rate == null ? builder : builder.learningRate(rate);
  }

  Budget budget() {
    return stage.budget();
  }

  /** Opens the corpus with a worker's share of the training part. */
  Corpus corpus(int worker) throws IOException {
    Path path =
        corpus.startsWith(SPARK_FILES)
            ? Path.of(SparkFiles.get(corpus.substring(SPARK_FILES.length())))
            : Path.of(corpus);
    if (!Files.exists(path)) {
      throw new IllegalArgumentException(
          lenientFormat(
              "corpus must be a file or folder that every executor can read, but there is no %s: use a disk"
                  + " that all hosts mount, or send the file with --files and set corpus to"
                  + " sparkfiles:NAME",
              path));
    }
    return open(path).share(worker, outer.workers());
  }

  private Corpus open(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return Corpus.folder(path);
    }
    if (split.isEmpty()) {
      return Corpus.open(path);
    }
    List<Long> sizes = sizes(split);
    return Corpus.withSizes(path, sizes.get(0), sizes.get(1), sizes.get(2));
  }

  /** Reads the sizes of the parts. */
  static List<Long> sizes(String split) {
    List<Long> sizes =
        Splitter.on(',').trimResults().splitToStream(split).map(Longs::tryParse).toList();
    checkArgument(
        sizes.size() == 3 && sizes.stream().allMatch(size -> size != null && size >= 2),
        "split must be three numbers of bytes, as in 90000000,5000000,5000000, but is '%s'",
        split);
    return sizes;
  }

  /** Returns the folder of a worker's checkpoints. */
  Path checkpoints(int worker) {
    return Path.of(checkpoints).resolve("worker-" + worker);
  }

  /**
   * Rejects checkpoints of another number of workers, whose shares of the corpus are others. Notes
   * the number for a later training.
   */
  private void checkWorkers(Path folder) throws IOException {
    Path file = folder.resolve(WORKERS);
    if (Files.exists(file)) {
      int before = Records.fromJson(Team.class, WORKERS, Files.readString(file)).workers();
      checkArgument(
          before == outer.workers() || !hasCheckpoints(before),
          "checkpoints must be a new folder for another number of workers, but %s has those of %s workers,"
              + " and numWorkers is %s: set numWorkers to %s to resume that training, or choose another"
              + " folder",
          folder,
          before,
          outer.workers(),
          before);
    }
    AtomicFile.write(file, JsonUtils.GSON.toJson(new Team(outer.workers())));
  }

  private boolean hasCheckpoints(int workers) throws IOException {
    for (int worker = 0; worker < workers; worker++) {
      if (Files.isDirectory(checkpoints(worker))
          && !Checkpoint.list(checkpoints(worker)).isEmpty()) {
        return true;
      }
    }
    return false;
  }

  /**
   * Creates the folders on the driver, and puts the marker into them.
   *
   * @throws IllegalArgumentException if the checkpoints are those of another number of workers
   */
  void markFolders() throws IOException {
    if (!checkpoints.isEmpty()) {
      Path folder = Path.of(checkpoints);
      AtomicFile.createFolders(folder);
      checkWorkers(folder);
      Files.createFile(folder.resolve(marker));
    }
    FileSystem files = modelFiles();
    files.mkdirs(modelFolder());
    files.create(markerOf(modelFolder()), true).close();
  }

  /** Deletes the marker. */
  void unmarkFolders() throws IOException {
    modelFiles().delete(markerOf(modelFolder()), false);
    if (!checkpoints.isEmpty()) {
      Files.deleteIfExists(Path.of(checkpoints).resolve(marker));
    }
  }

  /** Checks on an executor that the folders are the driver's. */
  void checkFolders() throws IOException {
    checkArgument(
        modelFiles().exists(markerOf(modelFolder())),
        "model must be a folder that the driver and every executor share, but %s is not the driver's"
            + " folder here: use a disk that all hosts mount, or hdfs: or s3a:",
        model);
    checkArgument(
        checkpoints.isEmpty() || Files.exists(Path.of(checkpoints).resolve(marker)),
        "checkpoints must be a folder that the driver and every executor share, but %s is not the driver's"
            + " folder here: use a disk that all hosts mount",
        checkpoints);
  }

  private FileSystem modelFiles() throws IOException {
    return modelFolder().getFileSystem(configuration.value());
  }

  private org.apache.hadoop.fs.Path modelFolder() {
    return new org.apache.hadoop.fs.Path(model);
  }

  private org.apache.hadoop.fs.Path markerOf(org.apache.hadoop.fs.Path folder) {
    return new org.apache.hadoop.fs.Path(folder, marker);
  }

  /** Sorts a model's files. Readers find a model by its sums, which therefore come last. */
  static List<Path> sumsLast(Stream<Path> files) {
    return files
        .sorted(
            Comparator.comparing((Path each) -> each.endsWith(CheckedFolder.SUMS))
                .thenComparing(Comparator.naturalOrder()))
        .toList();
  }

  /** Saves the trained model. */
  void save(Model trained) throws IOException {
    FileSystem files = modelFiles();
    if ("file".equals(files.getUri().getScheme())) {
      trained.save(Path.of(modelFolder().toUri().getPath()), NAME);
      return;
    }
    Path copy = Files.createTempDirectory("sharnn-model");
    try {
      trained.save(copy, NAME);
      try (Stream<Path> all = Files.list(copy)) {
        for (Path each : sumsLast(all)) {
          org.apache.hadoop.fs.Path from = new org.apache.hadoop.fs.Path(each.toUri());
          files.copyFromLocalFile(false, true, from, modelFolder());
        }
      }
    } finally {
      MoreFiles.deleteRecursively(copy, RecursiveDeleteOption.ALLOW_INSECURE);
    }
  }
}
