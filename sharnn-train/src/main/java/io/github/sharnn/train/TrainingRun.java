package io.github.sharnn.train;

import ai.djl.Device;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListener.BatchData;
import ai.djl.translate.Batchifier;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** One call of {@link SHARNNTrainer#fit}: epochs, steps, evaluations and their reports. */
final class TrainingRun {

  private final SHARNNTrainer.Builder options;
  private final Trainer trainer;
  private final SHARNN block; // what forward and backward compute with
  private final WeightUpdate update;
  private final BestWeights best;
  private final Corpus corpus;
  private final Budget budget;
  private final CurrentLearningRate learningRate;
  private final TrainingStep step;
  private final LossScale lossScale;
  private final List<StepReport> history = new ArrayList<>();
  private final long start = System.nanoTime();
  private long bytes;
  private int stale; // evaluations since the best

  TrainingRun(
      SHARNNTrainer.Builder options,
      Trainer trainer,
      WeightUpdate update,
      BestWeights best,
      Corpus corpus,
      Budget budget,
      CurrentLearningRate learningRate) {
    this.options = options;
    this.trainer = trainer;
    this.block = SHARNN.of(trainer.getModel());
    this.update = update;
    this.best = best;
    this.corpus = corpus;
    this.budget = budget;
    this.learningRate = learningRate;
    this.step = new TrainingStep(trainer);
    this.lossScale =
        trainer.getModel().getDataType() == DataType.FLOAT16
            ? LossScale.dynamic()
            : LossScale.none();
  }

  /** Trains until the budget is used; returns one report for each step. */
  List<StepReport> train(StreamDataset dataset) {
    boolean ended = false;
    for (int epoch = 0; !ended; epoch++) {
      ended = trainEpoch(dataset, epoch);
    }
    return history;
  }

  /** One pass over the data, or what the budget leaves of it; returns whether the run is over. */
  private boolean trainEpoch(StreamDataset dataset, int epoch) {
    try (NDManager stateManager = trainer.getManager().newSubManager()) {
      SHARNNState[] states = zeroStates(stateManager);
      boolean over = false;
      Iterator<Batch> batches = dataset.getData(trainer.getManager()).iterator();
      Batch next = batches.next();
      while (next != null) {
        Batch batch = next;
        long begin = System.nanoTime();
        double epochs = epoch + batch.getProgress() / (double) batch.getProgressTotal();
        long tokens = batch.getData().head().size();
        SHARNNState[] after = new SHARNNState[states.length];
        NDList losses = new NDList();
        try (batch) {
          accumulate(batch, states, after, losses, stateManager);
        }
        long updateBegin = System.nanoTime();
        NDArray scaledNorm = update.norm();
        // while the device is still busy with this batch, the next one is on its way to it
        next = batches.hasNext() ? batches.next() : null;
        double norm = read(scaledNorm) / lossScale.value(); // waits for the device
        double bpc = mean(losses) / SequenceCrossEntropy.NATS_PER_BIT;
        double scale = lossScale.value();
        updateWeights(bpc, norm);
        trainer.addMetric("step", updateBegin);
        SHARNNState[] unused = Double.isFinite(norm) ? states : after;
        states = Double.isFinite(norm) ? after : states;
        for (SHARNNState state : unused) {
          state.close();
        }
        long now = System.nanoTime();
        bytes += tokens;
        long steps = history.size() + 1;
        double used = budget.used(epochs, steps, now - start);
        learningRate.used(used);
        boolean ended = used >= 1 || batch.getProgress() == batch.getProgressTotal();
        double validation = Double.NaN;
        if (ended || (options.evaluationInterval > 0 && steps % options.evaluationInterval == 0)) {
          validation = evaluate();
        }
        report(
            new StepReport(
                steps,
                bytes,
                Math.min(used, 1),
                (System.nanoTime() - start) / 1e9,
                bpc,
                validation,
                tokens / ((now - begin) / 1e9),
                norm,
                learningRate.latest(),
                scale));
        over = used >= 1 || (budget.patience() > 0 && stale >= budget.patience());
        if (over) {
          break;
        }
      }
      if (next != null) {
        next.close();
      }
      trainer.notifyListeners(listener -> listener.onEpoch(trainer));
      return over;
    }
  }

  /** Steps, or skips where gradients overflowed. */
  private void updateWeights(double bpc, double norm) {
    checkDiverged(
        Double.isFinite(bpc), "loss %s bits per character, gradient norm %s".formatted(bpc, norm));
    if (Double.isFinite(norm)) {
      update.step(norm, lossScale.value());
      lossScale.good();
    } else {
      update.skip();
      lossScale.overflow(history.size() + 1);
    }
  }

  private SHARNNState[] zeroStates(NDManager manager) {
    SHARNNState[] states = new SHARNNState[options.accumulation];
    for (int i = 0; i < states.length; i++) {
      states[i] = block.zeroState(manager, options.batchSize / options.accumulation);
    }
    return states;
  }

  /** Forward and backward, some streams at a time; fills next and losses. */
  private void accumulate(
      Batch batch, SHARNNState[] states, SHARNNState[] next, NDList losses, NDManager manager) {
    float weight = (float) (lossScale.value() / states.length);
    for (int i = 0; i < states.length; i++) {
      try (Batch slice = slice(batch, i)) {
        TrainingStep.Result result = step.run(slice, states[i], weight);
        next[i] = result.state().attach(manager);
        result.loss().attach(manager);
        losses.add(result.loss());
      }
    }
  }

  private static double read(NDArray array) {
    try (array) {
      return array.getFloat();
    }
  }

  /** Reads the losses back and closes them. */
  private static double mean(NDList losses) {
    try (losses) {
      return losses.stream().mapToDouble(NDArray::getFloat).average().orElseThrow();
    }
  }

  private Batch slice(Batch batch, int index) {
    NDManager manager = batch.getManager().newSubManager();
    int streams = options.batchSize / options.accumulation;
    NDIndex rows = new NDIndex("{}:{}", index * streams, (index + 1) * streams);
    NDList data = new NDList(batch.getData().head().get(rows)); // (B, T) -> (streams, T)
    NDList labels = new NDList(batch.getLabels().head().get(rows)); // (B, T) -> (streams, T)
    data.attach(manager);
    labels.attach(manager);
    return new Batch(
        manager,
        data,
        labels,
        streams,
        Batchifier.STACK,
        Batchifier.STACK,
        batch.getProgress(),
        batch.getProgressTotal());
  }

  private double evaluate() {
    double bpc =
        Evaluation.of(
                trainer.getModel(),
                corpus.validation(),
                options.evaluationStreams(),
                options.sequenceLength,
                (batch, predictions) -> notifyValidation(batch, predictions))
            .bitsPerCharacter();
    checkDiverged(Double.isFinite(bpc), "validation loss %s bits per character".formatted(bpc));
    stale = best.offer(bpc) ? 0 : stale + 1;
    return bpc;
  }

  private void notifyValidation(Batch batch, NDList predictions) {
    NDList labels = batch.getLabels();
    Device device = labels.head().getDevice();
    BatchData batchData =
        new BatchData(
            batch,
            new ConcurrentHashMap<>(Map.of(device, labels)),
            new ConcurrentHashMap<>(Map.of(device, predictions)));
    trainer.notifyListeners(listener -> listener.onValidationBatch(trainer, batchData));
  }

  private void checkDiverged(boolean finite, String figures) {
    if (!finite) {
      throw new TrainingDivergedException(
          "training diverged at step %d: %s; lower the learning rate or warm up longer"
              .formatted(history.size() + 1, figures));
    }
  }

  private void report(StepReport report) {
    history.add(report);
    if (options.metrics != null) {
      options.metrics.addMetric("trainBpc", report.trainBpc());
      options.metrics.addMetric("gradientNorm", report.gradientNorm());
      options.metrics.addMetric("bytesPerSecond", report.bytesPerSecond());
      if (report.evaluated()) {
        options.metrics.addMetric("validationBpc", report.validationBpc());
      }
    }
    options.onStep.accept(report);
  }
}
