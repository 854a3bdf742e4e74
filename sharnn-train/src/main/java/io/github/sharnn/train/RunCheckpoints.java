package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.FileErrors;
import io.github.sharnn.io.FolderLock;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.checkpoint.CheckpointWriter;
import io.github.sharnn.train.checkpoint.DamagedCheckpointException;
import io.github.sharnn.train.checkpoint.RunFolder;
import io.github.sharnn.train.checkpoint.SavedPart;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.CorpusRecord;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The checkpoints of one run with all its stages: finds the one to resume, saves new ones. */
final class RunCheckpoints implements AutoCloseable {

  private static final Logger LOGGER = LoggerFactory.getLogger(RunCheckpoints.class);
  private static final int MAX_FAILURES = 3; // in a row

  CheckpointPolicy policy; // with the options of the run to resume
  final CorpusRecord corpus;
  private final TextVocabulary vocabulary;
  private CheckpointWriter writer;
  private @Nullable FolderLock lock; // null before begin() in a new run
  private boolean begun;
  private @Nullable Checkpoint resumed;
  private long lastSave = System.nanoTime();
  private int failures; // in a row

  private RunCheckpoints(CheckpointPolicy policy, Corpus corpus) throws IOException {
    this.policy = policy;
    this.corpus = corpus.record();
    this.vocabulary = corpus.vocabulary();
  }

  /**
   * Finds and checks the checkpoint to resume. Locks the folder of a run to resume, and otherwise
   * changes nothing: {@link #begin} does.
   */
  static RunCheckpoints open(TrainerSetup setup, Corpus corpus, int stages) {
    CheckpointPolicy policy = setup.checkpoints();
    try {
      if (Files.exists(policy.folder()) && !Files.isDirectory(policy.folder())) {
        throw new NotDirectoryException(
            policy.folder() + " is not a folder; name the one for the run's checkpoints");
      }
      RunCheckpoints run = new RunCheckpoints(policy, corpus);
      try {
        if (policy.resumeFrom() != null || run.hasCheckpoints()) {
          run.resume(setup, corpus.train(), stages);
        }
        run.writer = new CheckpointWriter(policy.folder(), run.policy.keep());
        return run;
      } catch (IOException | RuntimeException | Error e) {
        run.unlock();
        throw e;
      }
    } catch (IOException e) {
      throw unchecked(e);
    }
  }

  /** Returns whether the folder has checkpoints. Throws if the run is not to resume one. */
  private boolean hasCheckpoints() throws IOException {
    Path folder = policy.folder();
    boolean any = Files.isDirectory(folder) && !RunFolder.checkpoints(folder).isEmpty();
    checkArgument(
        policy.resumes() || !any,
        "the folder %s has checkpoints of a run: resume it (CheckpointPolicy.resume), or name another"
            + " folder",
        folder);
    return any;
  }

  private void resume(TrainerSetup setup, Corpus.Part training, int stages) throws IOException {
    if (Files.isDirectory(policy.folder())) {
      lock = FolderLock.ofRun(policy.folder());
    }
    resumed = Checkpoint.open(policy.resumeFrom() == null ? policy.folder() : policy.resumeFrom());
    policy = policy.orElse(resumed.policy());
    checkFits(resumed, setup, stages);
    long streamLength =
        StreamDataset.fixed(training, setup.options().batchSize(), 1).streamLength();
    // not in Checkpoint, which does not know the corpus' number of tokens
    checkArgument(
        resumed.offset() < streamLength,
        "the checkpoint %s is damaged: its position %s is past the end of the streams, %s",
        resumed.folder(),
        resumed.offset(),
        streamLength);
    // the files read above bound the size of the model
    Model model = setup.model();
    setup.block().initialize(model.getNDManager(), model.getDataType(), new Shape(1, 1));
  }

  /**
   * Makes the folder ready for the run's checkpoints, once the whole request is accepted: creates
   * and locks a new folder, deletes leftovers of killed runs and sets later checkpoints aside.
   */
  void begin() {
    if (begun) {
      return; // in an earlier stage
    }
    try {
      if (lock == null) {
        AtomicFile.createFolders(policy.folder());
        lock = FolderLock.ofRun(policy.folder());
        checkArgument(
            !hasCheckpoints(),
            "the folder %s got checkpoints of another run meanwhile: name another folder",
            policy.folder());
      }
      vocabulary.save(policy.folder()); // fails, before any change, if there is another one
      RunFolder.deleteUnfinished(policy.folder());
      RunFolder.setAsideOthers(policy.folder());
      if (resumed != null) {
        setAsideAfter(resumed);
      }
      begun = true;
    } catch (IOException e) {
      throw unchecked(e);
    }
  }

  private void checkFits(Checkpoint saved, TrainerSetup setup, int stages) {
    List<String> differences =
        saved.run().differences(setup.block().config(), setup.options(), corpus, policy);
    if (saved.stage() >= stages) {
      differences.add(
          lenientFormat(
              "stages: the checkpoint is in stage %s, but this run has only %s",
              saved.stage() + 1, stages));
    }
    checkArgument(
        differences.isEmpty(),
        "the run can't resume from %s, because these settings differ: %s; restore these settings, or start a"
            + " new run in another folder",
        resumed.folder(),
        String.join("; ", differences));
  }

  private void setAsideAfter(Checkpoint checkpoint) throws IOException {
    for (Path path : RunFolder.checkpoints(policy.folder())) {
      if (RunFolder.compare(path, checkpoint.folder()) > 0) {
        LOGGER.warn(
            "{} is newer than the checkpoint to resume, and was renamed to {}",
            path,
            RunFolder.setAside(path));
      }
    }
  }

  /** Returns the checkpoint that a stage resumes, or null. */
  @Nullable Checkpoint resumed(int stage) {
    return resumed != null && resumed.stage() == stage ? resumed : null;
  }

  /** Restores the results and the best weights of the stages before the resumed one. */
  void restoreEarlier(List<TrainingStage> stages, List<FitResult> results, BestWeights best) {
    if (resumed == null || resumed.stage() == 0) {
      return;
    }
    for (int i = 0; i < resumed.stage(); i++) {
      results.add(FitResult.complete(resumed.evaluations().get(i), stages.get(i).budget()));
    }
    if (resumed.has(Checkpoint.EARLIER)) {
      try {
        SavedPart earlier = resumed.part(Checkpoint.EARLIER);
        best.load(
            earlier.tensors(best.manager(), best.shapes()),
            earlier.state(SavedStates.Best.class).bpc());
      } catch (IOException e) {
        throw unchecked(e);
      }
    }
  }

  /** Returns true if a checkpoint is due after this step. */
  boolean due(long step) {
    return (policy.steps() > 0 && step % policy.steps() == 0)
        || (policy.interval().toNanos() > 0
            && System.nanoTime() - lastSave >= policy.interval().toNanos());
  }

  /** Starts saving in the background, once the last save has ended. */
  Path save(Supplier<CheckpointWriter.Snapshot> copy) {
    checkLastSave(true);
    CheckpointWriter.Snapshot snapshot = copy.get();
    lastSave = System.nanoTime();
    writer.begin(snapshot);
    return policy.folder().resolve(snapshot.name());
  }

  /** Saves, waits for the end, and returns the checkpoint's folder. */
  Path saveNow(Supplier<CheckpointWriter.Snapshot> copy) {
    Path checkpoint = save(copy);
    try {
      writer.await();
    } catch (IOException e) {
      throw unchecked(e);
    }
    return checkpoint;
  }

  /** Logs the failure of the last save, if it failed. The third failure in a row ends the run. */
  void checkLastSave(boolean wait) {
    if (!wait && !writer.done()) {
      return;
    }
    try {
      if (writer.await()) {
        failures = 0;
      }
    } catch (IOException e) {
      failures++;
      LOGGER.error(
          "{} ({} of {} failures that end the run)", e.getMessage(), failures, MAX_FAILURES);
      if (failures == MAX_FAILURES) {
        throw unchecked(e);
      }
    }
  }

  /** Finds the last good checkpoint of a stage that diverged after a step, or throws. */
  Checkpoint goodAfter(
      TrainingDivergedException e, DivergenceDetector divergence, int stage, long step) {
    int rollbacks = divergence.rollbacks();
    Checkpoint good = lastGood(stage, step + 1 - divergence.save().skipped());
    if (good != null && rollbacks < policy.rollbacks()) {
      return good;
    }
    String why =
        good == null
            ? "there is no good checkpoint of this stage to go back to"
            : lenientFormat(
                "the run has used %s of %s rollbacks; the last good checkpoint is %s",
                rollbacks, policy.rollbacks(), good.folder());
    throw new TrainingDivergedException(lenientFormat("%s; %s", e.getMessage(), why), e);
  }

  /**
   * Finds the newest whole checkpoint from before the loss began to rise, and sets later ones
   * aside. The checkpoint right before the first skipped step is used only if no older one is good,
   * because its weights may be the cause.
   */
  private @Nullable Checkpoint lastGood(int stage, long beforeSkipped) {
    checkLastSave(true);
    Checkpoint good = null;
    try {
      List<Path> all = RunFolder.checkpoints(policy.folder());
      for (int i = all.size() - 1; i >= 0 && (good == null || good.step() == beforeSkipped); i--) {
        try {
          Checkpoint checkpoint = Checkpoint.read(all.get(i));
          if (checkpoint.stage() == stage && checkpoint.divergence().healthy()) {
            good = checkpoint;
          }
        } catch (DamagedCheckpointException e) {
          LOGGER.error("{}", e.getMessage());
        }
      }
      if (good != null) {
        setAsideAfter(good);
      }
      return good;
    } catch (IOException e) {
      throw unchecked(e);
    }
  }

  static UncheckedIOException unchecked(IOException e) {
    return new UncheckedIOException(FileErrors.describe(e), e);
  }

  /** Waits for the last save. Its failure is only logged, because the training is over. */
  @Override
  public void close() {
    try {
      writer.await();
    } catch (IOException e) {
      LOGGER.error("{}", e.getMessage());
    } finally {
      writer.close();
      unlock();
    }
  }

  private void unlock() {
    try {
      if (lock != null) {
        lock.close();
      }
    } catch (IOException e) {
      LOGGER.warn("the lock of {} can't be released: {}", policy.folder(), e.toString());
    }
  }
}
