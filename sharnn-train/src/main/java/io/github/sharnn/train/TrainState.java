package io.github.sharnn.train;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.train.checkpoint.Checkpoint;
import io.github.sharnn.train.checkpoint.CheckpointWriter;
import io.github.sharnn.train.checkpoint.DamagedCheckpointException;
import io.github.sharnn.train.checkpoint.RecurrentTensors;
import io.github.sharnn.train.checkpoint.TrainingRecord;
import io.github.sharnn.train.optim.CurrentLearningRate;
import io.github.sharnn.train.optim.Lamb;
import io.github.sharnn.train.optim.LossScaler;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.WeightUpdate;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Everything that decides the next step of a run: what a checkpoint saves, and what going on from
 * one brings back.
 */
final class TrainState {

  private final TrainerSetup setup;
  private final MixedPrecisionWeights weights;
  private final WeightUpdate update;
  private final NDManager manager; // owns the recurrent states
  private final StageContext stage;
  final LossScaler lossScale;
  final DivergenceDetector watch;
  final CurrentLearningRate learningRate;
  final BestWeights best;
  final List<StepReport> evaluations = new ArrayList<>();
  SHARNNState[] states; // of each slice
  long step; // the last one
  int epoch;
  long offset; // of each stream, in the current pass
  long bytes;
  int stale; // evaluations since the best
  long savedStep = -1;
  private long bestStep = -1; // whose weights the best ones are
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
    this.watch =
        new DivergenceDetector(
            setup.checkpoints() == null ? 1 : setup.checkpoints().skippedSteps());
    this.states = zeroStates();
  }

  NDManager manager() {
    return manager;
  }

  /** Keeps the weights of the last step if none have validated better. */
  void evaluated(double bpc) {
    boolean isBest = best.saveIfBest(bpc);
    stale = isBest ? 0 : stale + 1;
    bestStep = isBest ? step : bestStep;
  }

  /** Time since the stage began, without what was lost between a checkpoint and a resumption. */
  long nanos() {
    return System.nanoTime() - start;
  }

  /** Starts the next pass over the data. */
  void nextEpoch() {
    epoch++;
    offset = 0;
    reset();
  }

  /** Goes on from the zero state. */
  void reset() {
    replaceStates(zeroStates());
  }

  /** Closes the states that are no longer needed. */
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

  /** Copies everything to the host. */
  CheckpointWriter.Snapshot snapshot() {
    Model model = setup.model();
    NDManager host = model.getNDManager().newSubManager(Device.cpu());
    Map<String, Map<String, NDArray>> tensors = new LinkedHashMap<>();
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    SafetensorsWeights.names(SHARNN.of(model))
        .forEach((name, parameter) -> arrays.put(name, parameter.getArray()));
    tensors.put(Checkpoint.WEIGHTS, copy(arrays, host));
    tensors.put(Checkpoint.MOMENTS, copy(update.tensors(), host));
    tensors.put(Checkpoint.STATE, RecurrentTensors.copy(states, host));
    boolean bestIsCurrent = bestStep == step && !update.averages();
    if (Double.isFinite(best.bpc()) && !bestIsCurrent) {
      tensors.put(Checkpoint.BEST, copy(best.copies(), host));
    }
    boolean earlierIsBest = stage.earlierBest() != null && stage.earlierBest().bpc() < best.bpc();
    if (earlierIsBest) {
      tensors.put(Checkpoint.EARLIER, copy(stage.earlierBest().copies(), host));
    }
    return new CheckpointWriter.Snapshot(record(bestIsCurrent, earlierIsBest), tensors, host);
  }

  private static Map<String, NDArray> copy(Map<String, NDArray> arrays, NDManager host) {
    Map<String, NDArray> copies = new LinkedHashMap<>();
    arrays.forEach(
        (name, array) -> {
          NDArray copy = BestWeights.copyToHost(array);
          copy.attach(host);
          copies.put(name, copy);
        });
    return copies;
  }

  private TrainingRecord record(boolean bestIsCurrent, boolean earlierIsBest) {
    List<List<StepReport>> all = new ArrayList<>(stage.earlier());
    all.add(evaluations);
    all.replaceAll(each -> TrainingRecord.bestAndNewest(each, stage.stages().size()));
    return new TrainingRecord(
        TrainingRecord.FORMAT,
        SHARNN.of(setup.model()).config(),
        setup.options(),
        stage.stages(),
        new TrainingRecord.Position(stage.index(), step, epoch, offset, bytes, nanos()),
        update.updates(),
        learningRate.latest(),
        learningRate.plateaus(),
        lossScale.save(),
        watch.save(),
        best.bpc(),
        bestIsCurrent,
        earlierIsBest ? stage.earlierBest().bpc() : Double.POSITIVE_INFINITY,
        stale,
        all,
        stage.checkpoints().corpus(),
        madeBy());
  }

  private Map<String, String> madeBy() {
    Map<String, String> made = new LinkedHashMap<>();
    made.put("sharnn", RunHeader.version());
    made.put("djl", Engine.getDjlVersion());
    made.put("pytorch", setup.model().getNDManager().getEngine().getVersion());
    made.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
    made.put(
        "system",
        "%s %s %s"
            .formatted(
                System.getProperty("os.name"),
                System.getProperty("os.version"),
                System.getProperty("os.arch")));
    made.put("device", Devices.describe(setup.model().getNDManager().getDevice()));
    made.put("time", Instant.now().toString());
    return made;
  }

  /**
   * Brings everything back.
   *
   * @throws IOException if a file can't be read or is not what it should be
   */
  void restore(Checkpoint checkpoint) throws IOException {
    TrainingRecord saved = checkpoint.training();
    Model model = setup.model();
    try (NDManager scratch = manager.newSubManager()) {
      checkpoint.checkWeights(Checkpoint.WEIGHTS, SafetensorsWeights.names(SHARNN.of(model)));
      checkpoint.check(
          Checkpoint.MOMENTS, saved.updates() == 0 ? Map.of() : update.shapes(), DataType.FLOAT32);
      try {
        SafetensorsWeights.read(
            SHARNN.of(model), scratch, checkpoint.folder().resolve(Checkpoint.WEIGHTS));
      } catch (MalformedModelException e) {
        throw new DamagedCheckpointException(e.getMessage(), e);
      }
      weights.sync();
      update.restore(checkpoint.tensors(scratch, Checkpoint.MOMENTS), saved.updates());
      replaceStates(
          RecurrentTensors.read(checkpoint.tensors(scratch, Checkpoint.STATE), zeroStates()));
      best.clear();
      if (checkpoint.has(Checkpoint.BEST)) {
        best.load(checkpoint, Checkpoint.BEST, saved.bestBpc());
      } else if (saved.bestIsCurrent()) {
        best.saveIfBest(saved.bestBpc());
      }
    }
    TrainingRecord.Position position = saved.position();
    step = position.step();
    epoch = position.epoch();
    offset = position.offset();
    bytes = position.bytes();
    start = System.nanoTime() - position.nanos();
    stale = saved.stale();
    savedStep = step;
    bestStep = saved.bestIsCurrent() ? step : -1;
    if (saved.options().precision() == DataType.FLOAT16) {
      lossScale.restore(saved.lossScale());
    }
    watch.restore(saved.watch());
    learningRate.rollbacks(watch.rollbacks());
    if (setup.optimizer() instanceof Lamb given) {
      given.rateFactor((float) Math.pow(0.5, watch.rollbacks()));
    }
    learningRate.restore(saved.learningRate(), saved.plateaus());
    evaluations.clear();
    evaluations.addAll(saved.evaluations().get(position.stage()));
  }
}
