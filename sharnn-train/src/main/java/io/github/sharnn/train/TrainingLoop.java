package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.TrainingDivergedException;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.Seeds;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.data.TokenBatch;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.OuterStep;
import io.github.sharnn.train.optim.Readback;
import io.github.sharnn.train.optim.WeightUpdate;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.TrainingStep;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The training of one stage: epochs, steps, evaluations, checkpoints, a report for each step. */
final class TrainingLoop {

  private static final Logger LOGGER = LoggerFactory.getLogger(SHARNNTrainer.class);
  private static final long ZERO_STATE_SALT = 1; // gives another number than the dropout seed's

  private final TrainerSetup setup;
  private final Trainer trainer;
  private final WeightUpdate update;
  private final StageContext stage;
  private final TrainState state;
  private final Corpus corpus;
  private final StreamDataset dataset;
  private final Budget budget;
  private final double bytesPerToken;
  private final TrainingStep step;
  private final List<StepReport> history = new ArrayList<>();
  private @Nullable Batch nextBatch; // being copied to the device
  private double used; // of the budget
  private FitResult.@Nullable End stopped; // null in a run that goes on or is complete

  TrainingLoop(
      TrainerSetup setup,
      Trainer trainer,
      WeightUpdate update,
      StageContext stage,
      TrainState state,
      Corpus corpus,
      StreamDataset dataset) {
    this.setup = setup;
    this.trainer = trainer;
    this.update = update;
    this.stage = stage;
    this.state = state;
    this.corpus = corpus;
    this.dataset = dataset;
    this.budget = stage.stages().get(stage.index()).budget();
    this.bytesPerToken = corpus.train().bytes() / (double) corpus.train().length();
    this.step = new TrainingStep(trainer);
  }

  /** Trains until the budget is used. */
  FitResult train() {
    Checkpoint resumed = stage.resumed();
    if (resumed != null) {
      restore(resumed);
      history.addAll(state.evaluations);
      checkArgument(
          !over() || !history.isEmpty(),
          "the budget %s is used up at step %s, before the first evaluation: increase the budget",
          budget,
          state.step);
    }
    if (stage.checkpoints() != null) {
      stage.checkpoints().begin();
    }
    if (setup.outerStep() != null) {
      used = setup.outerStep().agree(used); // another worker may have completed the stage
    }
    while (!over()) {
      try {
        trainEpoch();
      } catch (TrainingDivergedException e) {
        goBack(e);
      }
    }
    if (stopped != null) {
      RunCheckpoints checkpoints = stage.checkpoints();
      Path saved = checkpoints == null ? null : checkpoints.saveNow(state::snapshot);
      state.best.restore();
      return new FitResult(List.copyOf(history), stopped, saved);
    }
    if (stage.checkpoints() != null && state.savedStep != state.step) {
      save();
    }
    state.best.restore();
    return FitResult.complete(history, budget);
  }

  private boolean over() {
    return stopped != null || complete();
  }

  private boolean complete() {
    return used >= 1 || (budget.patience() > 0 && state.stale >= budget.patience());
  }

  private void noteUsed() {
    double epochs = state.epoch + state.offset / (double) dataset.streamLength();
    used = budget.used(epochs, state.step, state.nanos());
    state.learningRate.used(used);
  }

  /** Trains until the pass over the data or the budget ends. */
  private void trainEpoch() {
    Iterator<Batch> batches = dataset.batches(trainer.getManager(), state.epoch, state.offset);
    try {
      nextBatch = batches.next();
      while (nextBatch != null && !over()) {
        trainStep(batches);
      }
    } finally {
      if (nextBatch != null) {
        nextBatch.close();
        nextBatch = null;
      }
    }
    if (stopped == null) {
      trainer.notifyListeners(listener -> listener.onEpoch(trainer));
    }
  }

  private void trainStep(Iterator<Batch> batches) {
    Batch batch = nextBatch;
    nextBatch = null;
    long begin = System.nanoTime();
    long tokens = TokenBatch.predicted(batch);
    double scale = state.lossScale.value();
    TrainingStep.Slices slices = forwardAndBackward(batch, scale);
    long updateBegin = System.nanoTime();
    double norm;
    double bpc;
    try (Readback readback = update.launch(slices.losses(), scale)) {
      slices.losses().close();
      // loads the next batch while the device is still busy with this one
      nextBatch = batches.hasNext() ? batches.next() : null;
      float[] measured = readback.await();
      norm = measured[0] / scale;
      double loss =
          IntStream.range(1, measured.length).mapToDouble(i -> measured[i]).average().orElseThrow();
      bpc = loss / bytesPerToken / SequenceCrossEntropy.NATS_PER_BIT;
    }
    if (Double.isFinite(norm)) {
      state.replaceStates(slices.states());
    } else {
      for (SHARNNState unused : slices.states()) {
        unused.close();
      }
    }
    updateWeights(bpc, norm);
    trainer.addMetric("step", updateBegin);
    long now = System.nanoTime();
    long bytes = Math.round(tokens * bytesPerToken);
    state.bytes += bytes;
    state.step++;
    state.offset = batch.getProgress();
    noteUsed();
    boolean endOfPass = batch.getProgress() == batch.getProgressTotal();
    if (endOfPass) {
      state.nextEpoch();
    }
    boolean tookOuterStep = outerStep();
    boolean due =
        setup.options().evaluationInterval() > 0
            && state.step % setup.options().evaluationInterval() == 0;
    // workers reach the end of a pass at different steps
    boolean evaluate = setup.outerStep() == null ? endOfPass || due : due && tookOuterStep;
    double validation = used >= 1 || evaluate ? evaluateUnlessInterrupted() : Double.NaN;
    report(
        new StepReport(
            state.step,
            state.bytes,
            Math.min(used, 1),
            state.nanos() / 1e9,
            bpc,
            validation,
            bytes / ((now - begin) / 1e9),
            norm,
            state.learningRate.latest(),
            scale));
    stopOrSave();
  }

  /**
   * Takes the outer step if it is due, which it also is at the end of the budget, and returns true
   * then. The budget of all workers ends when that of one does.
   */
  private boolean outerStep() {
    OuterStep outer = setup.outerStep();
    if (outer == null) {
      return false;
    }
    outer.moved();
    if (state.step % outer.settings().interval() != 0 && used < 1) {
      return false;
    }
    used = outer.step(used);
    state.learningRate.used(used);
    return true;
  }

  private TrainingStep.Slices forwardAndBackward(Batch batch, double lossScale) {
    // seeds dropout by the step, so that a checkpoint needs no random state
    int seed = (int) Seeds.mix(setup.options().seed(), state.step + 1);
    trainer.getManager().getEngine().setRandomSeed(seed);
    if (TokenBatch.starts(batch)
        || Seeds.uniform(setup.options().seed(), state.step + 1, ZERO_STATE_SALT)
            < setup.options().zeroStateProbability()) {
      state.resetStates();
    }
    try (batch) {
      return step.runSlices(batch, state.states, lossScale, state.manager);
    }
  }

  /** Updates the weights, or skips the update if the loss or the gradient norm is not finite. */
  private void updateWeights(double bpc, double norm) {
    if (Double.isFinite(bpc) && Double.isFinite(norm)) {
      update.complete();
    } else {
      update.skip();
    }
    boolean canGoBack = stage.checkpoints() != null;
    state.divergence.check(state.step + 1, bpc, norm, state.lossScale, canGoBack);
  }

  /** Evaluates, or returns NaN if an interrupt ends the run before. */
  private double evaluateUnlessInterrupted() {
    try {
      return evaluate();
    } catch (CancellationException e) {
      if (!Thread.currentThread().isInterrupted()) {
        throw e; // a listener's
      }
      stopped = FitResult.End.INTERRUPTED;
      return Double.NaN;
    }
  }

  /** Evaluates the averaged weights, or the weights themselves without averaging. */
  private double evaluate() {
    update.swap();
    try {
      double bpc =
          Evaluation.of(
                  trainer.getModel(),
                  corpus.validation(),
                  new Evaluation.Settings(
                      setup.options().evaluationStreams(), setup.options().sequenceLength()),
                  (batch, predictions) -> {
                    if (stage.checkpoints() == null) { // else a resumed run would lack the figure
                      Interrupts.check();
                    }
                    step.notifyValidation(batch, predictions);
                  })
              .bitsPerCharacter();
      if (!Double.isFinite(bpc)) {
        throw DivergenceDetector.diverged(
            state.step, lenientFormat("validation loss %s bits per character", bpc));
      }
      state.evaluated(bpc);
      return bpc;
    } finally {
      update.swap();
    }
  }

  private void restore(Checkpoint checkpoint) {
    try {
      state.restore(checkpoint);
    } catch (IOException e) {
      throw RunCheckpoints.unchecked(e);
    }
    noteUsed();
    LOGGER.info("resuming from {}", checkpoint.folder());
  }

  /** Restores the last good checkpoint and halves the learning rate, or throws if there is none. */
  private void goBack(TrainingDivergedException e) {
    RunCheckpoints checkpoints = stage.checkpoints();
    if (checkpoints == null) {
      throw e;
    }
    Checkpoint good = checkpoints.goodAfter(e, state.divergence, stage.index(), state.step);
    state.divergence.rolledBack();
    LOGGER.warn(
        "{}; {} steps skipped so far; going back to {} with half the learning rate (rollback {} of"
            + " {})",
        e.getMessage(),
        state.divergence.allSkipped(),
        good.folder(),
        state.divergence.rollbacks(),
        checkpoints.policy.rollbacks());
    restore(good);
    history.removeIf(report -> report.step() > state.step);
  }

  private void stopOrSave() {
    RunCheckpoints checkpoints = stage.checkpoints();
    if (!over() && setup.stopWhen().getAsBoolean()) {
      stopped = FitResult.End.STOPPED;
    }
    if (!over() && Thread.currentThread().isInterrupted()) {
      stopped = FitResult.End.INTERRUPTED;
    }
    if (checkpoints != null) {
      checkpoints.checkLastSave(false);
      if (stopped == null && checkpoints.due(state.step) && state.divergence.save().healthy()) {
        save();
      }
    }
  }

  private void save() {
    stage.checkpoints().save(state::snapshot);
    state.savedStep = state.step;
  }

  private void report(StepReport report) {
    history.add(report);
    if (report.evaluated()) {
      state.evaluations.add(report);
      state.learningRate.evaluated(report.validationBpc());
    }
    setup.report(report);
  }
}
