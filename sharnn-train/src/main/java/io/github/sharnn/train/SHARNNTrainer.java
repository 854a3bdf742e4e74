package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.engine.Engine;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListener.BatchData;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.Batchifier;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * Trains a {@link SHARNN} on a {@link Corpus} with the recipe of the paper, around DJL's {@link
 * Trainer}: DJL's listeners, metrics, optimizers and trackers work in it.
 *
 * <pre>{@code
 * Corpus corpus = Corpus.open(Path.of("book.txt"));
 * try (Model model = SHARNN.builder().embeddingSize(128).boomSize(512).build().newModel("book")) {
 *   FitResult result = SHARNNTrainer.builder(model).build().fit(corpus, Budget.epochs(3));
 *   model.save(Path.of("book-model"), null);
 * }
 * }</pre>
 *
 * <p>Each step: a segment of every stream goes forward with the state of the segment before, the
 * gradients are clipped by global norm, the optimizer steps. State starts from zero at each pass
 * over the data. After each pass, and every {@code evaluationInterval} steps, the validation part
 * is evaluated; at the end the model gets the weights back that did best there.
 *
 * <p>One device, the model's. The same seed on the same machine gives the same numbers; to that end
 * {@code fit} sets the seed of DJL's engine. Not safe for use by several threads: DJL records
 * gradients of one run at a time.
 */
public final class SHARNNTrainer {

  private final Model model;
  private final SHARNN block;
  private final Builder options;

  private SHARNNTrainer(Builder options) {
    this.options = options;
    this.model = options.model;
    this.block = SHARNN.of(model);
  }

  /**
   * Starts a trainer with the recipe's settings.
   *
   * @param model a DJL model with a {@link SHARNN}, initialized or not; it is trained in place
   * @return the builder
   * @throws IllegalArgumentException if the model holds another block
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /**
   * Trains.
   *
   * @param corpus the training part is trained on, the validation part chooses the best weights
   * @param budget when to stop
   * @return the history; {@link FitResult#best()} is what the model holds now
   * @throws IllegalArgumentException if a part is too short for the number of streams
   * @throws TrainingDivergedException if the loss or the gradients are no longer finite
   */
  public FitResult fit(Corpus corpus, Budget budget) {
    StreamDataset dataset =
        StreamDataset.random(
            corpus.train(), options.batchSize, options.sequenceLength, options.seed);
    StreamDataset.fixed(corpus.validation(), options.evaluationStreams(), options.sequenceLength);
    Engine engine = model.getNDManager().getEngine();
    engine.setRandomSeed(options.seed);
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new SequenceCrossEntropy())
            .optDevices(new Device[] {model.getNDManager().getDevice()})
            .optOptimizer(options.optimizer())
            .addTrainingListeners(options.listeners.toArray(TrainingListener[]::new));
    try (Trainer trainer = model.newTrainer(config);
        BestWeights best = new BestWeights(block, model.getNDManager())) {
      trainer.setMetrics(options.metrics);
      trainer.initialize(new Shape(options.batchSize, options.sequenceLength));
      zeroGradients();
      Run run = new Run(trainer, corpus, dataset, budget, best);
      run.train();
      best.restore();
      return new FitResult(run.history);
    }
  }

  /** A run that ended in an exception may have left gradients, to which the first would add. */
  private void zeroGradients() {
    for (Parameter parameter : block.getParameters().values()) {
      if (parameter.requiresGradient()) {
        try (NDArray gradient = parameter.getArray().getGradient()) {
          gradient.set(new NDIndex("..."), 0f);
        }
      }
    }
  }

  /** The state of one call of fit. */
  private final class Run {

    private final Trainer trainer;
    private final Corpus corpus;
    private final StreamDataset dataset;
    private final Budget budget;
    private final BestWeights best;
    private final TrainingStep step;
    private final List<StepReport> history = new ArrayList<>();
    private final long start = System.nanoTime();
    private long bytes;

    Run(Trainer trainer, Corpus corpus, StreamDataset dataset, Budget budget, BestWeights best) {
      this.trainer = trainer;
      this.corpus = corpus;
      this.dataset = dataset;
      this.budget = budget;
      this.best = best;
      this.step = new TrainingStep(trainer);
    }

    void train() {
      double used = 0;
      for (int epoch = 0; used < 1; epoch++) {
        used = trainEpoch(epoch);
      }
    }

    /**
     * One pass over the data, or what the budget leaves of it; returns how much of the budget is
     * used.
     */
    private double trainEpoch(int epoch) {
      try (NDManager stateManager = trainer.getManager().newSubManager()) {
        SHARNNState[] states = zeroStates(stateManager);
        double used = 0;
        for (Batch batch : dataset.getData(trainer.getManager())) {
          long begin = System.nanoTime();
          double epochs = epoch + batch.getProgress() / (double) batch.getProgressTotal();
          long tokens = batch.getData().head().size();
          double bpc;
          double norm;
          try (batch) {
            bpc = accumulate(batch, states, stateManager) / SequenceCrossEntropy.NATS_PER_BIT;
            norm = GlobalNorm.clip(block, options.clipNorm);
            checkDiverged(
                Double.isFinite(bpc) && Double.isFinite(norm),
                "loss %s bits per character, gradient norm %s".formatted(bpc, norm));
            trainer.step();
          }
          long now = System.nanoTime();
          bytes += tokens;
          long steps = history.size() + 1;
          used = budget.used(epochs, steps, now - start);
          boolean ended = used >= 1 || batch.getProgress() == batch.getProgressTotal();
          double validation = Double.NaN;
          if (ended
              || (options.evaluationInterval > 0 && steps % options.evaluationInterval == 0)) {
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
                  norm));
          if (used >= 1) {
            break;
          }
        }
        trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        return used;
      }
    }

    private SHARNNState[] zeroStates(NDManager manager) {
      SHARNNState[] states = new SHARNNState[options.accumulation];
      for (int i = 0; i < states.length; i++) {
        states[i] = block.zeroState(manager, options.batchSize / options.accumulation);
      }
      return states;
    }

    /**
     * Forward and backward over the batch, some streams at a time; returns the mean loss in nats.
     */
    private double accumulate(Batch batch, SHARNNState[] states, NDManager stateManager) {
      double loss = 0;
      for (int i = 0; i < states.length; i++) {
        try (Batch slice = slice(batch, i)) {
          TrainingStep.Result result = step.run(slice, states[i], 1f / states.length);
          states[i].close();
          states[i] = result.state().attach(stateManager);
          loss += result.loss() / states.length;
        }
      }
      return loss;
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
                  model,
                  corpus.validation(),
                  options.evaluationStreams(),
                  options.sequenceLength,
                  (batch, predictions) -> notifyValidation(batch, predictions))
              .bitsPerCharacter();
      checkDiverged(Double.isFinite(bpc), "validation loss %s bits per character".formatted(bpc));
      best.offer(bpc);
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

  /** Options of a {@link SHARNNTrainer}. Every default is the recipe's. */
  public static final class Builder {

    private final Model model;
    private int batchSize = 16;
    private int sequenceLength = 1024;
    private int accumulation = 1;
    private double clipNorm = 0.25;
    private int seed = 42;
    private int evaluationInterval;
    private int evaluationStreams; // 0: batchSize
    private Tracker learningRate = LearningRateSchedule.peak(2e-3f).warmUp(800);
    private Optimizer optimizer; // null: Lamb
    private final List<TrainingListener> listeners = new ArrayList<>();
    private Metrics metrics; // null: none kept
    private Consumer<StepReport> onStep = report -> {};

    private Builder(Model model) {
      SHARNN.of(model);
      this.model = model;
    }

    /**
     * Sets the number of streams B that are trained on side by side. Default 16.
     *
     * @param streams at least 1
     * @return this builder
     */
    public Builder batchSize(int streams) {
      batchSize = streams;
      return this;
    }

    /**
     * Sets the longest segment T that gradients flow through (bptt). Default 1024.
     *
     * @param steps at least 1
     * @return this builder
     */
    public Builder sequenceLength(int steps) {
      sequenceLength = steps;
      return this;
    }

    /**
     * Runs each batch in slices of streams whose gradients add up before the step: the same step as
     * the whole batch to rounding, dropout aside, in less memory. Default 1, the whole batch at
     * once.
     *
     * @param slices a divisor of {@code batchSize}
     * @return this builder
     */
    public Builder accumulation(int slices) {
      accumulation = slices;
      return this;
    }

    /**
     * Sets the largest global L2 norm of the gradients. Default 0.25.
     *
     * @param norm above 0; {@code Double.POSITIVE_INFINITY} for no clipping
     * @return this builder
     */
    public Builder clipNorm(double norm) {
      clipNorm = norm;
      return this;
    }

    /**
     * Sets the seed of initial weights, segment lengths and dropout. Default 42.
     *
     * @param value any number
     * @return this builder
     */
    public Builder seed(int value) {
      seed = value;
      return this;
    }

    /**
     * Evaluates the validation part every so many steps too. Default 0: after each pass over the
     * data and at the end alone.
     *
     * @param steps at least 0
     * @return this builder
     */
    public Builder evaluationInterval(int steps) {
      evaluationInterval = steps;
      return this;
    }

    /**
     * Sets the number of streams of the validation part. Default {@code batchSize}.
     *
     * @param streams at least 1
     * @return this builder
     */
    public Builder evaluationStreams(int streams) {
      checkArgument(streams >= 1, "evaluationStreams must be at least 1, but is %s", streams);
      evaluationStreams = streams;
      return this;
    }

    /**
     * Sets the learning rate of the recipe's {@link Lamb}. Default 2e-3 after 800 steps of warm-up.
     *
     * @param tracker gives the rate of a step, counted from 1
     * @return this builder
     */
    public Builder learningRate(Tracker tracker) {
      learningRate = tracker;
      return this;
    }

    /**
     * Sets another optimizer in place of {@link Lamb}; {@code learningRate} then counts for
     * nothing. DJL's Adam, AdamW and Sgd work. An optimizer keeps its moments: use a new one for a
     * new run.
     *
     * @param other the optimizer
     * @return this builder
     */
    public Builder optimizer(Optimizer other) {
      optimizer = other;
      return this;
    }

    /**
     * Adds DJL listeners. They see every batch (every slice, with accumulation), every validation
     * batch and every epoch.
     *
     * @param more the listeners
     * @return this builder
     */
    public Builder listeners(TrainingListener... more) {
      listeners.addAll(List.of(more));
      return this;
    }

    /**
     * Collects DJL's metrics and {@code trainBpc}, {@code validationBpc}, {@code gradientNorm} and
     * {@code bytesPerSecond} of each step. They stay in memory. Default none.
     *
     * @param collector where they go
     * @return this builder
     */
    public Builder metrics(Metrics collector) {
      metrics = collector;
      return this;
    }

    /**
     * Calls back after each step, on the training thread. Default nothing.
     *
     * @param callback gets the report that the history will hold
     * @return this builder
     */
    public Builder onStep(Consumer<StepReport> callback) {
      onStep = callback;
      return this;
    }

    private int evaluationStreams() {
      return evaluationStreams == 0 ? batchSize : evaluationStreams;
    }

    private Optimizer optimizer() {
      return optimizer == null
          ? Lamb.builder().optLearningRateTracker(learningRate).build()
          : optimizer;
    }

    /**
     * Builds the trainer.
     *
     * @return the trainer
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public SHARNNTrainer build() {
      checkArgument(batchSize >= 1, "batchSize must be at least 1, but is %s", batchSize);
      checkArgument(
          sequenceLength >= 1, "sequenceLength must be at least 1, but is %s", sequenceLength);
      checkArgument(
          accumulation >= 1 && batchSize % accumulation == 0,
          "accumulation must be at least 1 and divide batchSize (%s), but is %s",
          batchSize,
          accumulation);
      checkArgument(clipNorm > 0, "clipNorm must be above 0, but is %s", clipNorm);
      checkArgument(
          evaluationInterval >= 0,
          "evaluationInterval must be at least 0, but is %s",
          evaluationInterval);
      return new SHARNNTrainer(this);
    }
  }
}
