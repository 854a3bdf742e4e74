package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import com.google.common.collect.Maps;
import com.google.common.collect.Sets;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.train.checkpoint.CheckpointWriter;
import io.github.sharnn.train.checkpoint.DamagedCheckpointException;
import io.github.sharnn.train.checkpoint.HostCopy;
import io.github.sharnn.train.checkpoint.RecurrentTensors;
import io.github.sharnn.train.checkpoint.SavedPart;
import io.github.sharnn.train.checkpoint.Stateful;
import io.github.sharnn.train.optim.CurrentLearningRate;
import io.github.sharnn.train.optim.FusedOptimizer;
import io.github.sharnn.train.optim.LossScaler;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.OuterStep;
import io.github.sharnn.train.optim.WeightUpdate;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** The state that determines the next step of a run, in parts that a checkpoint saves. */
final class TrainState {

  private static final String MOMENTS = "moments";

  private final TrainerSetup setup;
  private final MixedPrecisionWeights weights;
  private final WeightUpdate update;
  final NDManager manager; // owns the recurrent states
  private final StageContext stage;
  final LossScaler lossScale;
  final DivergenceDetector divergence;
  final CurrentLearningRate learningRate;
  final BestWeights best;
  final List<StepReport> evaluations = new ArrayList<>();
  SHARNNState[] states; // one per slice of the batch
  long step; // the last completed step
  int epoch;
  long offset; // of each stream, in the current pass
  long bytes;
  int stale; // evaluations since the best
  long savedStep = -1;
  private long bestStep = -1; // the step of the best weights
  private long start = System.nanoTime();

  TrainState(
      TrainerSetup setup,
      MixedPrecisionWeights weights,
      WeightUpdate update,
      NDManager manager,
      BestWeights best,
      CurrentLearningRate learningRate,
      StageContext stage) {
    this.setup = setup;
    this.weights = weights;
    this.update = update;
    this.manager = manager;
    this.best = best;
    this.learningRate = learningRate;
    this.stage = stage;
    this.lossScale =
        weights.model().getDataType() == DataType.FLOAT16
            ? LossScaler.dynamic()
            : LossScaler.none();
    this.divergence =
        new DivergenceDetector(
            stage.checkpoints() == null ? 1 : stage.checkpoints().policy.skippedSteps());
    this.states = zeroStates();
  }

  /** Returns the parts in the order of restoring. Add a new part here. */
  private Map<String, Stateful> parts() {
    Map<String, Stateful> parts = new LinkedHashMap<>();
    RunRecord run = RunRecord.of(setup, stage.stages(), stage.checkpoints());
    parts.put(Checkpoint.RUN, Stateful.of(RunRecord.class, () -> run, saved -> {}));
    parts.put(
        Checkpoint.POSITION,
        Stateful.of(SavedStates.Position.class, this::position, this::restore));
    parts.put(
        Checkpoint.WEIGHTS, new Stateful(() -> null, this::copyWeights, this::restoreWeights));
    parts.put(
        "optimizer",
        Stateful.of(
            SavedStates.Updates.class,
            () -> new SavedStates.Updates(update.updates()),
            saved -> update.restore(saved.updates())));
    update.arrays().forEach((name, arrays) -> parts.put(name, arraysPart(arrays)));
    parts.put(
        Checkpoint.STATE,
        new Stateful(() -> null, host -> RecurrentTensors.copy(states, host), this::restoreStates));
    OuterStep outer = setup.outerStep();
    if (outer != null) {
      parts.put(
          Checkpoint.OUTER,
          new Stateful(
              outer::settings,
              host -> HostCopy.of(outer.arrays(), host),
              saved -> restoreOuter(outer, saved)));
    }
    parts.put("scale", Stateful.of(LossScaler.Saved.class, lossScale::save, lossScale::restore));
    parts.put(
        Checkpoint.DIVERGENCE,
        Stateful.of(DivergenceDetector.Saved.class, divergence::save, divergence::restore));
    parts.put(
        "rate",
        Stateful.of(
            SavedStates.Rate.class,
            () -> new SavedStates.Rate(learningRate.latest(), learningRate.plateaus()),
            saved -> learningRate.restore(saved.latest(), saved.plateaus())));
    parts.put(Checkpoint.BEST, bestPart());
    BestWeights earlier = stage.earlierBest();
    if (earlier != null && earlier.bpc() < best.bpc()) {
      parts.put(
          Checkpoint.EARLIER,
          new Stateful(
              () -> new SavedStates.Best(earlier.bpc(), false, 0),
              earlier::copies,
              saved -> {})); // the trainer restores it before the stage begins
    }
    parts.put(
        Checkpoint.EVALUATIONS,
        Stateful.of(
            SavedStates.Evaluations.class,
            this::evaluations,
            saved -> {
              evaluations.clear();
              evaluations.addAll(saved.stages().get(stage.index()));
            }));
    return parts;
  }

  /** Copies every part to the host. */
  CheckpointWriter.Snapshot snapshot() {
    NDManager host = setup.model().getNDManager().newSubManager(Device.cpu());
    return CheckpointWriter.Snapshot.of(stage.index(), step, parts(), host);
  }

  /** Restores every part. Throws a DamagedCheckpointException if one does not fit the run. */
  void restore(Checkpoint checkpoint) throws IOException {
    checkArgument(
        setup.outerStep() != null || !checkpoint.has(Checkpoint.OUTER),
        "the checkpoint %s is of a run with an outer step: set it again (outerStep)",
        checkpoint.folder());
    checkFrozen(checkpoint);
    for (Map.Entry<String, Stateful> part : parts().entrySet()) {
      part.getValue().restore().from(checkpoint.part(part.getKey()));
    }
    savedStep = step;
    learningRate.rateFactor(divergence.rateFactor());
    if (setup.optimizer() instanceof FusedOptimizer given) {
      given.rateFactor(divergence.rateFactor());
    }
  }

  /** Rejects a run that would train other parameters than before. */
  private void checkFrozen(Checkpoint checkpoint) throws IOException {
    Set<String> all = new TreeSet<>(setup.block().getParameters().keys());
    Set<String> before = trained(checkpoint.part(MOMENTS).header().keySet());
    Set<String> now = trained(update.arrays().get(MOMENTS).shapes().keySet());
    boolean known =
        !before.isEmpty() && all.containsAll(before); // else it is damaged, or at step 0
    checkArgument(
        !known || before.equals(now),
        "the run can't resume with other frozen parameters: it froze %s, now %s are frozen; freeze the"
            + " same parts again before fit, or start a new run in another folder",
        Sets.difference(all, before),
        Sets.difference(all, now));
  }

  /** Returns the parameters of moments with names such as {@code mean.ID}. */
  private static Set<String> trained(Set<String> moments) {
    return moments.stream()
        .map(name -> name.substring(name.indexOf('.') + 1))
        .collect(Collectors.toSet());
  }

  private SavedStates.Position position() {
    return new SavedStates.Position(stage.index(), step, epoch, offset, bytes, nanos());
  }

  private void restore(SavedStates.Position saved) {
    step = saved.step();
    epoch = saved.epoch();
    offset = saved.offset();
    bytes = saved.bytes();
    start = System.nanoTime() - saved.nanos();
  }

  private Map<String, NDArray> copyWeights(NDManager host) {
    Map<String, Parameter> parameters = SafetensorsWeights.names(setup.block());
    return HostCopy.of(Maps.transformValues(parameters, Parameter::getArray), host);
  }

  private void restoreWeights(SavedPart saved) throws IOException {
    saved.check(best.shapes(), DataType.FLOAT32);
    try (NDManager scratch = manager.newSubManager()) {
      SafetensorsWeights.read(setup.block(), scratch, saved.file());
    } catch (MalformedModelException e) {
      throw new DamagedCheckpointException(e.getMessage(), e);
    }
    weights.sync();
  }

  private Stateful arraysPart(WeightUpdate.Arrays arrays) {
    return new Stateful(
        () -> null,
        // before the first update, only skipped steps can have created arrays
        host -> update.updates() == 0 ? Map.of() : HostCopy.of(arrays.named().get(), host),
        saved -> {
          try (NDManager scratch = manager.newSubManager()) {
            arrays
                .restore()
                .accept(saved.tensors(scratch, update.updates() == 0 ? Map.of() : arrays.shapes()));
          }
        });
  }

  private void restoreStates(SavedPart saved) throws IOException {
    try (NDManager scratch = manager.newSubManager()) {
      replaceStates(RecurrentTensors.read(saved.tensors(scratch), zeroStates()));
    }
  }

  private void restoreOuter(OuterStep outer, SavedPart saved) throws IOException {
    OuterStep.Settings before = saved.state(OuterStep.Settings.class);
    checkArgument(
        before.equals(outer.settings()),
        "the run can't resume with another outer step: it was %s, is now %s; restore these settings,"
            + " or start a new run in another folder",
        before,
        outer.settings());
    try (NDManager scratch = manager.newSubManager()) {
      boolean withAgreed = OuterStep.hasAgreed(saved.header().keySet());
      outer.restore(saved.tensors(scratch, outer.shapes(withAgreed)));
    }
  }

  private Stateful bestPart() {
    boolean isCurrent = bestStep == step && !update.averages();
    return new Stateful(
        () -> new SavedStates.Best(best.bpc(), isCurrent, stale),
        host -> Double.isFinite(best.bpc()) && !isCurrent ? best.copies(host) : null,
        saved -> {
          SavedStates.Best state = saved.state(SavedStates.Best.class);
          stale = state.stale();
          bestStep = state.isCurrent() ? step : -1;
          best.clear();
          if (saved.hasTensors()) {
            best.load(saved.tensors(best.manager(), best.shapes()), state.bpc());
          } else if (state.isCurrent()) {
            best.saveIfBest(state.bpc());
          }
        });
  }

  private SavedStates.Evaluations evaluations() {
    List<List<StepReport>> all = new ArrayList<>(stage.earlier());
    all.add(evaluations);
    return SavedStates.Evaluations.bestAndNewest(all, stage.stages().size());
  }

  /** Saves the current weights if their validation figure is the lowest so far. */
  void evaluated(double bpc) {
    boolean isBest = best.saveIfBest(bpc);
    stale = isBest ? 0 : stale + 1;
    bestStep = isBest ? step : bestStep;
  }

  /** Returns the training time of the stage, without the time from a checkpoint to its resume. */
  long nanos() {
    return System.nanoTime() - start;
  }

  /** Starts the next pass over the data. */
  void nextEpoch() {
    epoch++;
    offset = 0;
    resetStates();
  }

  /** Resets the recurrent state to zero. */
  void resetStates() {
    replaceStates(zeroStates());
  }

  /** Replaces the recurrent states and closes the old ones. */
  void replaceStates(SHARNNState[] next) {
    for (SHARNNState state : states) {
      state.close();
    }
    states = next;
  }

  private SHARNNState[] zeroStates() {
    SHARNNState[] zeros = new SHARNNState[setup.options().accumulation()];
    SHARNN block = SHARNN.of(weights.model());
    for (int i = 0; i < zeros.length; i++) {
      zeros[i] = block.zeroState(manager, setup.options().batchSize() / zeros.length);
    }
    return zeros;
  }
}
