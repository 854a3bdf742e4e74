package io.github.sharnn.train;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import com.google.common.base.Splitter;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.io.Safetensors;
import io.github.sharnn.train.checkpoint.CheckpointFolder;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.checkpoint.DamagedCheckpointException;
import io.github.sharnn.train.checkpoint.RecurrentTensors;
import io.github.sharnn.train.checkpoint.RunFolder;
import io.github.sharnn.train.checkpoint.SavedPart;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A checkpoint on disk: the state that determines the next step of a run. {@link CheckpointFolder}
 * describes the files. A run saves these parts:
 *
 * <table>
 * <caption>Parts</caption>
 * <tr><th>Part</th><th>{@code training.json}</th><th>arrays</th></tr>
 * <tr><td>run</td><td>config, options, stages, corpus, policy, versions, device</td><td></td></tr>
 * <tr><td>position</td><td>stage, step, place in the data, time</td><td></td></tr>
 * <tr><td>weights</td><td></td><td>weights under the reference's names, FLOAT32</td></tr>
 * <tr><td>optimizer</td><td>number of updates</td><td></td></tr>
 * <tr><td>moments, lookahead, average</td><td></td><td>the optimizer's arrays</td></tr>
 * <tr><td>state</td><td></td><td>recurrent state and memory</td></tr>
 * <tr><td>outer</td><td>settings of the outer step</td><td>its velocity; the weights that the workers
 * agreed on, unless they are the current ones</td></tr>
 * <tr><td>rate, scale, divergence</td><td>their counters</td><td></td></tr>
 * <tr><td>best</td><td>the lowest figure</td><td>its weights, unless they are the current
 * ones</td></tr>
 * <tr><td>earlier</td><td>the lowest figure of earlier stages</td><td>its weights, if it is
 * lower</td></tr>
 * <tr><td>evaluations</td><td>reports of each stage</td><td></td></tr>
 * </table>
 *
 * <p>Segment lengths and dropout are functions of the seed and the position, so a checkpoint needs
 * no random state.
 */
public final class Checkpoint {

  static final String RUN = "run";
  static final String POSITION = "position";
  static final String WEIGHTS = "weights";
  static final String STATE = "state";
  static final String OUTER = "outer";
  static final String DIVERGENCE = "divergence";
  static final String BEST = "best";
  static final String EARLIER = "earlier";
  static final String EVALUATIONS = "evaluations";

  private final CheckpointFolder files;
  private final RunRecord run;
  private final SavedStates.Position position;
  private final SavedStates.Evaluations evaluations;
  private final SavedStates.Best best;
  private final DivergenceDetector.Saved divergence;

  private Checkpoint(CheckpointFolder files) throws IOException {
    this.files = files;
    run = part(RUN).state(RunRecord.class);
    position = part(POSITION).state(SavedStates.Position.class);
    evaluations = part(EVALUATIONS).state(SavedStates.Evaluations.class);
    best = part(BEST).state(SavedStates.Best.class);
    divergence = part(DIVERGENCE).state(DivergenceDetector.Saved.class);
    checkStates();
    checkArrays();
  }

  private void checkStates() throws IOException {
    boolean evaluated = evaluations.evaluated();
    check(
        position.stage() < run.stages().size()
            && evaluations.stages().size() == position.stage() + 1,
        "the stages of the position and the evaluations contradict each other");
    check(
        evaluated == Double.isFinite(best.bpc()) && (evaluated || !best.isCurrent()),
        "the evaluations and the best figure contradict each other");
    check(
        position.offset()
            < (run.corpus().layout() != null && run.corpus().layout().documents().any()
                ? run.corpus().train()
                : (run.corpus().train() - 1) / options().batchSize()),
        lenientFormat("the position %s is past the end of the streams", position.offset()));
    if (has(BEST) != (evaluated && !best.isCurrent())
        || (has(EARLIER) && !Double.isFinite(part(EARLIER).state(SavedStates.Best.class).bpc()))) {
      throw files.damaged(
          CheckpointFolder.RECORD + " lists best weights that do not match its files", null);
    }
  }

  private void check(boolean rule, String message) throws IOException {
    if (!rule) {
      throw files.damaged(
          lenientFormat("%s can't be read: %s", CheckpointFolder.RECORD, message), null);
    }
  }

  /** Checks that model and state are no larger than their files, so that they may be allocated. */
  private void checkArrays() throws IOException {
    for (String part : List.of(WEIGHTS, BEST, EARLIER)) {
      if (part.equals(WEIGHTS) || has(part)) {
        long numbers =
            part(part).header().values().stream().mapToLong(each -> each.shape().size()).sum();
        if (numbers != config().parameterCount()) {
          throw files.damaged(
              CheckpointFolder.file(part)
                  + " has a different number of values than the model has parameters",
              null);
        }
      }
    }
    Map<String, Safetensors.Tensor> state = part(STATE).header();
    int slices = options().accumulation();
    try {
      RecurrentTensors.check(state, config(), slices, options().batchSize() / slices);
    } catch (MalformedModelException e) {
      throw files.damaged(e.getMessage(), e);
    }
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
   * @throws DamagedCheckpointException if the checkpoint is damaged; the message names the newest
   *     undamaged checkpoint before it
   * @throws IOException if there is none, or it can't be read
   */
  public static Checkpoint open(Path path) throws IOException {
    Path folder = path;
    if (!RunFolder.isCheckpoint(path)) {
      List<Path> all = Files.isDirectory(path) ? list(path) : List.of();
      if (all.isEmpty()) {
        throw new IOException(
            lenientFormat(
                "the folder %s holds no checkpoint: name a run's folder or a checkpoint in it",
                path));
      }
      folder = all.get(all.size() - 1);
    }
    try {
      return read(folder);
    } catch (DamagedCheckpointException e) {
      String offer =
          newestWholeBefore(folder)
              .map(before -> "the newest undamaged checkpoint before it is " + before.folder())
              .orElse("there is no undamaged checkpoint before it");
      throw new DamagedCheckpointException(
          lenientFormat("%s; %s; nothing was changed", e.getMessage(), offer), e.getCause());
    }
  }

  private static Optional<Checkpoint> newestWholeBefore(Path folder) throws IOException {
    List<Path> all = list(folder.toAbsolutePath().getParent());
    for (int i = all.size() - 1; i >= 0; i--) {
      if (RunFolder.compare(all.get(i), folder) < 0) {
        try {
          return Optional.of(read(all.get(i)));
        } catch (DamagedCheckpointException e) {
          // an older one may be whole
        }
      }
    }
    return Optional.empty();
  }

  /** Reads a checkpoint. The exception for a damaged checkpoint names no other checkpoint. */
  static Checkpoint read(Path folder) throws IOException {
    return new Checkpoint(CheckpointFolder.read(folder));
  }

  /** {@return the checkpoint's folder} */
  public Path folder() {
    return files.folder();
  }

  /** {@return the model's config} */
  public SHARNNConfig config() {
    return run.config();
  }

  /** {@return the trainer's options} */
  public TrainingOptions options() {
    return run.options();
  }

  /** {@return the policy of the run's checkpoints, with the options of its program} */
  public CheckpointPolicy policy() {
    return run.policy().in(folder().toAbsolutePath().getParent());
  }

  /**
   * Starts a trainer with the options of the run. The precision is that of the run too, if the
   * model is on a device of the same type; else it is the default of the model's device.
   *
   * @param model a DJL model with a {@link SHARNN}
   * @return a new builder
   * @throws IllegalArgumentException if the model holds another block
   */
  public SHARNNTrainer.Builder trainer(Model model) {
    SHARNNTrainer.Builder builder = options().trainer(model);
    String type = model.getNDManager().getDevice().getDeviceType();
    return device().startsWith(type) ? builder.precision(options().precision()) : builder;
  }

  /** {@return the stages of the run, at least one} */
  public List<TrainingStage> stages() {
    return run.stages();
  }

  /** {@return the stage that the run is in, from 0} */
  public int stage() {
    return position.stage();
  }

  /** {@return the last step of the stage, from 1} */
  public long step() {
    return position.step();
  }

  /**
   * {@return the device as {@link io.github.sharnn.engine.Devices#of} names it, such as {@code
   * gpu0}, or {@code auto} if the checkpoint names no device}
   */
  public String device() {
    // the GPU's model may follow the name of the device
    String device = Objects.requireNonNullElse(run.made().get("device"), "auto");
    return Splitter.on(' ').split(device).iterator().next();
  }

  /**
   * Reads the vocabulary of the run, from the run's folder, which this checkpoint is in.
   *
   * @return the vocabulary
   * @throws IOException if the vocabulary's file is missing or differs
   */
  public TextVocabulary vocabulary() throws IOException {
    return TextVocabulary.load(folder().toAbsolutePath().getParent(), run.corpus().vocabulary());
  }

  /**
   * Opens the corpus of the run at the path in the checkpoint. The path may be any file.
   *
   * @return the corpus, split as it was, with the run's vocabulary
   * @throws IOException if it is no longer there
   * @throws IllegalArgumentException if the corpus has become too short, or the path is not valid
   *     on this system
   */
  public Corpus corpus() throws IOException {
    return corpus(List.of(), List.of(), List.of());
  }

  /**
   * Opens the corpus of the run at another path, for example after a move.
   *
   * @param origin the file or folder
   * @return the corpus, split as it was, with the run's vocabulary
   * @throws IOException if there is none
   * @throws IllegalArgumentException if the corpus is too short for the split
   */
  public Corpus corpus(Path origin) throws IOException {
    return corpus(List.of(origin), List.of(), List.of());
  }

  /**
   * Opens the corpus of the run at other paths, for example after a move.
   *
   * @param train the file or folder, or the files of {@link Corpus#builder} in the same order;
   *     empty for the run's
   * @param validation the files of the validation part; empty for the run's
   * @param test the files of the test part; empty for the run's
   * @return the corpus, split as it was, with the run's vocabulary
   * @throws IOException if there is none
   * @throws IllegalArgumentException if the corpus is too short for the split, or has a text or a
   *     stream
   */
  public Corpus corpus(List<Path> train, List<Path> validation, List<Path> test)
      throws IOException {
    return run.corpus().open(train, validation, test).withVocabulary(vocabulary());
  }

  /**
   * Reads the best weights so far of all stages into a model, or the current weights before the
   * first evaluation.
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
    String best = has(EARLIER) ? EARLIER : has(BEST) ? BEST : WEIGHTS;
    SafetensorsWeights.read(SHARNN.of(model), model.getNDManager(), part(best).file());
  }

  RunRecord run() {
    return run;
  }

  long offset() {
    return position.offset();
  }

  /** Returns the reports of each stage up to this one that have a validation figure. */
  List<List<StepReport>> evaluations() {
    return evaluations.stages();
  }

  DivergenceDetector.Saved divergence() {
    return divergence;
  }

  SavedPart part(String name) {
    return files.part(name);
  }

  boolean has(String part) {
    return part(part).hasTensors();
  }
}
