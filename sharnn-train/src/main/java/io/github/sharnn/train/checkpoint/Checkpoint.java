package io.github.sharnn.train.checkpoint;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.common.base.Splitter;
import com.google.common.collect.Maps;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.io.Safetensors;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.train.TrainingStage;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.CorpusRecord;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A checkpoint on the disk: everything that decides the next step of a run. It is a folder {@code
 * checkpoint-STAGE-STEP} in the run's folder, with
 *
 * <ul>
 *   <li>{@code training.json}: config, options, position, schedule, loss scale, evaluations, corpus
 *       and what made it
 *   <li>{@code weights.safetensors}, {@code best.safetensors}: weights under the reference's names,
 *       FLOAT32; the second only where the best weights are not the current ones
 *   <li>{@code moments.safetensors}: the optimizer's; {@code state.safetensors}: recurrent state
 *       and memory
 *   <li>{@code earlier.safetensors}: the best weights of earlier stages, where they are better
 *   <li>{@code SHA256SUMS}: of all these, as {@code sha256sum} has it
 * </ul>
 *
 * <p>Segment lengths and dropout are functions of the seed and the position, so that no random
 * state is saved. Loading a checkpoint runs no code from it.
 */
public final class Checkpoint {

  public static final String RECORD = "training.json";
  public static final String SUMS = "SHA256SUMS";
  public static final String WEIGHTS = "weights.safetensors";
  public static final String MOMENTS = "moments.safetensors";
  public static final String STATE = "state.safetensors";
  public static final String BEST = "best.safetensors";
  public static final String EARLIER = "earlier.safetensors";

  static final List<String> TENSORS = List.of(WEIGHTS, MOMENTS, STATE, BEST, EARLIER);

  private final Path folder;
  private final TrainingRecord training;

  private Checkpoint(Path folder, TrainingRecord training) {
    this.folder = folder;
    this.training = training;
  }

  /**
   * Lists the checkpoints of a run without reading them.
   *
   * @param run the run's folder
   * @return their folders, oldest first
   * @throws IOException if the folder can't be read
   */
  public static List<Path> list(Path run) throws IOException {
    return RunFolder.checkpoints(run);
  }

  /**
   * Reads a checkpoint and checks every byte of it.
   *
   * @param path a checkpoint's folder, or a run's folder for its newest one
   * @return the checkpoint
   * @throws DamagedCheckpointException if it is not what was written; the message names the newest
   *     one before it that is whole
   * @throws IOException if there is none, or it can't be read
   */
  public static Checkpoint open(Path path) throws IOException {
    Path folder = path;
    if (!RunFolder.isCheckpoint(path)) {
      List<Path> all = Files.isDirectory(path) ? list(path) : List.of();
      if (all.isEmpty()) {
        throw new IOException(
            "the folder %s holds no checkpoint: name a run's folder or a checkpoint in it"
                .formatted(path));
      }
      folder = all.get(all.size() - 1);
    }
    try {
      return read(folder);
    } catch (DamagedCheckpointException e) {
      String offer =
          newestWholeBefore(folder)
              .map(before -> "the newest one before it that is whole is " + before.folder)
              .orElse("there is no whole one before it");
      throw new DamagedCheckpointException(
          "%s; %s; nothing was changed".formatted(e.getMessage(), offer), e.getCause());
    }
  }

  private static Optional<Checkpoint> newestWholeBefore(Path folder) throws IOException {
    List<Path> all = list(folder.toAbsolutePath().getParent());
    for (int i = all.size() - 1; i >= 0; i--) {
      if (RunFolder.compare(all.get(i), folder) < 0) {
        try {
          return Optional.of(read(all.get(i)));
        } catch (DamagedCheckpointException e) {
          // the one before it, then
        }
      }
    }
    return Optional.empty();
  }

  /** Reads one checkpoint; the message of a damaged one has no advice. */
  public static Checkpoint read(Path folder) throws IOException {
    CheckpointSums.check(folder);
    try {
      Checkpoint checkpoint = new Checkpoint(folder, TrainingRecord.read(folder.resolve(RECORD)));
      checkpoint.checkFiles();
      return checkpoint;
    } catch (MalformedModelException e) {
      throw damaged(folder, "%s can't be read: %s".formatted(RECORD, e.getMessage()), e);
    }
  }

  private void checkFiles() throws IOException {
    boolean evaluated = Double.isFinite(training.bestBpc());
    if (has(BEST) != (evaluated && !training.bestIsCurrent())
        || has(EARLIER) != Double.isFinite(training.earlierBestBpc())) {
      throw damaged(folder, RECORD + " has other best weights than its files", null);
    }
    for (String name : TENSORS) {
      if (has(name)) {
        header(name);
      }
    }
  }

  /**
   * What one of its files holds. The model and the state that the record describes are then no
   * larger than their files, so that they may be made.
   */
  private Map<String, Safetensors.Tensor> header(String file) throws IOException {
    try (Safetensors opened = Safetensors.open(folder.resolve(file))) {
      Map<String, Safetensors.Tensor> tensors = opened.tensors();
      if (file.equals(STATE)) {
        RecurrentTensors.check(tensors, config(), options());
      } else if (!file.equals(MOMENTS)) {
        long numbers = tensors.values().stream().mapToLong(tensor -> tensor.shape().size()).sum();
        if (numbers != config().parameterCount()) {
          throw new MalformedModelException(
              file + " has not as many numbers as the model parameters");
        }
      }
      return tensors;
    } catch (MalformedModelException e) {
      throw damaged(folder, e.getMessage(), e);
    }
  }

  static DamagedCheckpointException damaged(Path folder, String how, Throwable cause) {
    return new DamagedCheckpointException(
        "the checkpoint %s is damaged: %s".formatted(folder, how), cause);
  }

  /**
   * Returns where it is.
   *
   * @return its folder
   */
  public Path folder() {
    return folder;
  }

  /**
   * Returns the model's config.
   *
   * @return the config
   */
  public SHARNNConfig config() {
    return training.config();
  }

  /**
   * Returns the trainer's options.
   *
   * @return the options
   */
  public TrainingOptions options() {
    return training.options();
  }

  /**
   * Returns what the run trains for. A stage has no learning rate where the run has a tracker that
   * is no {@link io.github.sharnn.train.optim.LearningRateSchedule}.
   *
   * @return one stage or more
   */
  public List<TrainingStage> stages() {
    return training.stages();
  }

  /**
   * Returns the stage that the run is in.
   *
   * @return the stage, from 0
   */
  public int stage() {
    return training.position().stage();
  }

  /**
   * Returns the last step that it knows of.
   *
   * @return the step of its stage, from 1
   */
  public long step() {
    return training.position().step();
  }

  /**
   * Returns where the run computed.
   *
   * @return the device as {@link io.github.sharnn.engine.Devices#of} names it, such as {@code
   *     gpu0}; where the file says none, {@code auto}
   */
  public String device() {
    // a GPU's model may follow its name
    String device = Objects.requireNonNullElse(training.made().get("device"), "auto");
    return Splitter.on(' ').split(device).iterator().next();
  }

  /**
   * Reads the vocabulary of the run, from the run's folder, which this checkpoint is in.
   *
   * @return the vocabulary
   * @throws IOException if its file is missing or another
   */
  public TextVocabulary vocabulary() throws IOException {
    return TextVocabulary.load(folder.toAbsolutePath().getParent(), training.corpus().vocabulary());
  }

  /**
   * Opens the corpus of the run, from where it was: any file that the checkpoint names.
   *
   * @return the corpus, split as it was, with the run's vocabulary
   * @throws IOException if it is no longer there
   * @throws IllegalArgumentException if it is too short now, or this system has no such paths
   */
  public Corpus corpus() throws IOException {
    CorpusRecord corpus = training.corpus();
    Path origin = Path.of(corpus.file());
    Corpus bytes =
        Files.isDirectory(origin)
            ? Corpus.folder(origin)
            : Corpus.withSizes(origin, corpus.train(), corpus.validation(), corpus.test());
    return bytes.withVocabulary(vocabulary());
  }

  /**
   * Reads the best weights so far of all stages, the current ones before the first evaluation, into
   * a model.
   *
   * <pre>{@code
   * Model model = SHARNN.of(checkpoint.config()).newModel("best");
   * checkpoint.readBest(model);
   * }</pre>
   *
   * @param model a DJL model with a {@link SHARNN} of the same shapes, initialized where needed
   * @throws IOException if a file can't be read
   * @throws MalformedModelException if the shapes are not the model's
   */
  public void readBest(Model model) throws IOException, MalformedModelException {
    String file = WEIGHTS;
    if (has(EARLIER)) {
      file = EARLIER;
    } else if (has(BEST)) {
      file = BEST;
    }
    SafetensorsWeights.read(SHARNN.of(model), model.getNDManager(), folder.resolve(file));
  }

  public TrainingRecord training() {
    return training;
  }

  public boolean has(String file) {
    return Files.exists(folder.resolve(file));
  }

  /** Compares one of its files with initialized parameters, as {@link #check} does. */
  public void checkWeights(String file, Map<String, Parameter> parameters) throws IOException {
    DataType type = parameters.values().iterator().next().getArray().getDataType();
    check(file, Maps.transformValues(parameters, Parameter::getShape), type);
  }

  /** Refuses one of its files that does not hold exactly such arrays, before any is read. */
  public void check(String file, Map<String, Shape> shapes, DataType type) throws IOException {
    Map<String, Safetensors.Tensor> tensors = header(file);
    if (!Maps.transformValues(tensors, Safetensors.Tensor::shape).equals(shapes)
        || !tensors.values().stream().allMatch(tensor -> tensor.dataType() == type)) {
      throw damaged(
          folder, "%s does not hold the arrays of the model, in %s".formatted(file, type), null);
    }
  }

  /** Reads one of its files, onto the manager's device. */
  public Map<String, NDArray> tensors(NDManager manager, String file) throws IOException {
    try {
      return SafetensorsWeights.readTensors(manager, folder.resolve(file));
    } catch (MalformedModelException e) {
      throw damaged(folder, e.getMessage(), e);
    }
  }
}
