package io.github.sharnn.train;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.metric.Metrics;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.TrainingConfig;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.Lookahead;
import io.github.sharnn.train.optim.OuterStep;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A trainer's options, and the objects that a checkpoint does not save, such as listeners.
 *
 * @param learningRate the rate of a run without stages
 * @param optimizer the caller's optimizer, or null for a new one by the options
 * @param drawnTokens for a benchmark, a function from position to token that replaces the corpus'
 *     tokens; else null
 */
record TrainerSetup(
    Model model,
    TrainingOptions options,
    Tracker learningRate,
    @Nullable Optimizer optimizer,
    List<TrainingListener> listeners,
    @Nullable Metrics metrics,
    Consumer<StepReport> onStep,
    @Nullable CheckpointPolicy checkpoints,
    BooleanSupplier stopWhen,
    @Nullable LongUnaryOperator drawnTokens,
    @Nullable OuterStep outerStep) {

  private static final Logger LOGGER = LoggerFactory.getLogger(SHARNNTrainer.class);

  TrainerSetup {
    listeners = List.copyOf(listeners);
  }

  SHARNN block() {
    return SHARNN.of(model);
  }

  /** Returns the batches of the training part. */
  StreamDataset dataset(Corpus corpus) {
    checkParts(corpus);
    return StreamDataset.random(
            corpus.train(), options.batchSize(), options.sequenceLength(), options.seed())
        .withSplits(block().config().splits())
        .drawing(drawnTokens);
  }

  /** Puts Lookahead around an optimizer, or returns null if the options have none. */
  @Nullable Lookahead lookahead(Optimizer inner) {
    return options.lookaheadSteps() == 0
        ? null
        : Lookahead.around(inner, options.lookaheadSteps(), options.lookaheadAlpha());
  }

  /** Returns the config of DJL's trainer. */
  TrainingConfig config(Optimizer djlOptimizer) {
    return new DefaultTrainingConfig(new SequenceCrossEntropy(options.labelSmoothing()))
        .optDevices(new Device[] {model.getNDManager().getDevice()})
        .optOptimizer(djlOptimizer)
        .addTrainingListeners(listeners.toArray(TrainingListener[]::new));
  }

  /** Passes a report on to the metrics, the callback and the log. */
  void report(StepReport report) {
    if (metrics != null) {
      metrics.addMetric("trainBpc", report.trainBpc());
      metrics.addMetric("gradientNorm", report.gradientNorm());
      metrics.addMetric("bytesPerSecond", report.bytesPerSecond());
      if (report.evaluated()) {
        metrics.addMetric("validationBpc", report.validationBpc());
      }
    }
    onStep.accept(report);
    if (report.evaluated() && LOGGER.isInfoEnabled()) {
      LOGGER.info(
          String.format(
              Locale.ROOT,
              "step %d: train %.4f BPC, valid %.4f BPC, %.0f s, %.0f%% of the budget",
              report.step(),
              report.trainBpc(),
              report.validationBpc(),
              report.seconds(),
              100 * report.used()));
    }
  }

  /** Checks all that can be checked before the run writes anything. */
  void check(Corpus corpus) {
    checkParts(corpus);
    Device device = model.getNDManager().getDevice();
    Kernels.check(options.kernels(), device, options.precision(), block().config().embeddingSize());
  }

  /** Checks that each part is long enough for its streams and has the model's vocabulary. */
  private void checkParts(Corpus corpus) {
    Evaluation.checkVocabulary(block(), corpus.train());
    StreamDataset.fixed(corpus.train(), options.batchSize(), options.sequenceLength());
    StreamDataset.fixed(corpus.validation(), options.evaluationStreams(), options.sequenceLength());
  }
}
