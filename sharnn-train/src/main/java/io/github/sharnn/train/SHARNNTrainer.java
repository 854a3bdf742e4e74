package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.Lamb;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.Lookahead;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.WeightAverage;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.SoleTraining;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;

/**
 * Trains a {@link io.github.sharnn.SHARNN} on a {@link Corpus} with the recipe of the paper, around
 * DJL's {@link ai.djl.training.Trainer}: DJL's listeners, metrics, optimizers and trackers work in
 * it.
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
 * <p>With {@link Builder#checkpoints} a run that was killed goes on as if nothing had happened: on
 * a CPU every number is the same to the last bit.
 *
 * <p>Parameters that are frozen ({@code Block.freezeParameters}) stay as they are, also in a model
 * that was loaded.
 *
 * <p>One device, the model's. The same seed on the same machine gives the same numbers; to that end
 * {@code fit} sets the seed of DJL's engine before each step, to a function of seed and step.
 *
 * <p>One {@code fit} at a time in a process, of whatever model and on whatever thread, since DJL
 * records the gradients of one at a time; a second one is refused and the first goes on. Meanwhile
 * other threads may evaluate and generate with other models; with the model in training only its
 * listeners and {@code onStep} should, since elsewhere its weights change amid a forward pass. A
 * model created or loaded meanwhile draws from the same random numbers as dropout: that run can't
 * be repeated to the bit.
 */
public final class SHARNNTrainer {

  private final Builder options;

  SHARNNTrainer(Builder options) {
    this.options = options;
  }

  /**
   * Starts a trainer with the recipe's settings.
   *
   * @param model a DJL model with a {@link io.github.sharnn.SHARNN}, initialized or not; it is
   *     trained in place
   * @return the builder
   * @throws IllegalArgumentException if the model holds another block
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /**
   * Trains. Logs the {@link io.github.sharnn.RunHeader} at INFO.
   *
   * @param corpus the training part is trained on, the validation part chooses the best weights
   * @param budget when to stop
   * @return the history; {@link FitResult#best()} is what the model holds now. Where the run went
   *     on from a checkpoint, only the evaluations of the steps before it are in it, at most 5,000:
   *     the best and the newest
   * @throws IllegalArgumentException if a part is too short for the number of streams, the model's
   *     weights are not FLOAT32, or the checkpoint to go on from has other options: the message
   *     lists them
   * @throws TrainingDivergedException if the loss or the gradients are no longer finite; with
   *     checkpoints, if going back to one did not help
   * @throws IllegalStateException at once if another {@code fit} is running in this process
   * @throws TrainingStoppedException if {@link Builder#stopWhen} stopped it
   * @throws java.io.UncheckedIOException if the folder of the checkpoints can't be used, or the one
   *     to go on from is damaged ({@link
   *     io.github.sharnn.train.checkpoint.DamagedCheckpointException}, the cause)
   */
  public FitResult fit(Corpus corpus, Budget budget) {
    LearningRateSchedule schedule =
        options.learningRate instanceof LearningRateSchedule rate ? rate : null;
    List<Recipe.Stage> stages = List.of(new Recipe.Stage(schedule, budget));
    SoleTraining.begin(options.model.getName());
    try {
      if (options.checkpoints == null) {
        return TrainingLoop.fit(
            options, corpus, new StageContext(stages, 0, List.of(), null, null));
      }
      try (RunCheckpoints checkpoints = RunCheckpoints.open(options, corpus, 1)) {
        return TrainingLoop.fit(
            options, corpus, new StageContext(stages, 0, List.of(), null, checkpoints));
      }
    } finally {
      SoleTraining.end();
    }
  }

  /** A trainer's options. Every default but {@link #zeroStateProbability} is the paper's. */
  public static final class Builder {

    static final double ZERO_STATE = 0.01;
    public final Model model;
    int batchSize = 16;
    int sequenceLength = 1024;
    int accumulation = 1;
    public double clipNorm = 0.25;
    int seed = 42;
    int evaluationInterval;
    int evaluationStreams; // 0: batchSize
    Tracker learningRate = LearningRateSchedule.peak(2e-3f).warmUp(800);
    public Optimizer optimizer; // null: Lamb
    public int lookaheadSteps; // 0: no Lookahead
    float lookaheadAlpha;
    public double averageDecay; // 0: no average
    float labelSmoothing;
    double zeroStateProbability = ZERO_STATE;
    final List<TrainingListener> listeners = new ArrayList<>();
    Metrics metrics; // null: none kept
    Consumer<StepReport> onStep = report -> {};
    DataType precision; // null: by device
    CheckpointPolicy checkpoints; // null: none
    BooleanSupplier stopWhen = () -> false;
    public LongUnaryOperator drawnTokens; // null: the corpus's; else for a benchmark
    public boolean toBeSaved = true; // but for a benchmark

    Builder(Model model) {
      SHARNN.of(model);
      this.model = model;
    }

    /**
     * Sets the number of streams B that are trained on side by side. Default 16. For FLOAT16 on a
     * GPU take a multiple of 8 up to 128: for others cuDNN has slower LSTMs.
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
      learningRate = checkNotNull(tracker, "learningRate must not be null: leave it out");
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
     * Puts {@link Lookahead} around the optimizer, whatever it is. Default none.
     *
     * @param steps updates between two moves of the slow weights, at least 1; 5 to 6 are usual
     * @param alpha how far the slow weights go, above 0 and at most 1; 0.5 to 0.8 are usual
     * @return this builder
     */
    public Builder lookahead(int steps, float alpha) {
      Lookahead.check(steps, alpha);
      lookaheadSteps = steps;
      lookaheadAlpha = alpha;
      return this;
    }

    /**
     * Evaluates an exponential moving average of the weights in their place, keeps the best average
     * and ends with it; training goes on with the weights themselves. After t updates the weights
     * after update s count {@code decay^(t - s)}, over the sum of these from 1 to t. It takes the
     * memory of the FLOAT32 weights, and again at each evaluation. Default 0, no average.
     *
     * @param decay above 0 and below 1: 0.999 averages over about the last 1000 updates; 0 for none
     * @return this builder
     */
    public Builder averageDecay(double decay) {
      averageDecay = decay;
      return this;
    }

    /**
     * Trains on targets of which a share is spread evenly over the vocabulary (Szegedy et al.,
     * arXiv:1512.00567, section 7). Figures are never smoothed, those of training neither. Default
     * 0.
     *
     * @param share at least 0 and below 1; 0 for a model with splits
     * @return this builder
     */
    public Builder labelSmoothing(float share) {
      labelSmoothing = share;
      return this;
    }

    /**
     * Lets a step of all streams begin from the zero state, with nothing remembered, so often
     * (Melis et al., arXiv:1707.05589, section 4). Without it a model knows nothing but a full
     * memory, and does badly on short texts and at the beginning of long ones. Default 0.01.
     *
     * @param probability at least 0 and below 1; 0 for the paper's training
     * @return this builder
     */
    public Builder zeroStateProbability(double probability) {
      zeroStateProbability = probability;
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
     * Sets what forward and backward compute in: FLOAT32, or FLOAT16 with weights and optimizer in
     * FLOAT32 and a dynamic loss scale. Default FLOAT16 on a GPU with {@link Lamb}, else FLOAT32.
     *
     * @param type FLOAT32 or FLOAT16
     * @return this builder
     */
    public Builder precision(DataType type) {
      precision = type;
      return this;
    }

    /**
     * Calls back after each step, on the training thread. Default nothing.
     *
     * @param callback gets the report that the history will hold
     * @return this builder
     */
    public Builder onStep(Consumer<StepReport> callback) {
      onStep = checkNotNull(callback, "onStep must not be null: leave it out");
      return this;
    }

    /**
     * Saves checkpoints, and goes on from one. With {@link Lamb} alone. Default none.
     *
     * @param policy where and when
     * @return this builder
     */
    public Builder checkpoints(CheckpointPolicy policy) {
      checkpoints = policy;
      return this;
    }

    /**
     * Asks after each step whether to stop: then a checkpoint is saved, if {@link #checkpoints} is
     * set, and {@code fit} ends with a {@link TrainingStoppedException}. Default never.
     *
     * @param condition asked on the training thread; may change on any
     * @return this builder
     */
    public Builder stopWhen(BooleanSupplier condition) {
      stopWhen = checkNotNull(condition, "stopWhen must not be null: leave it out");
      return this;
    }

    int evaluationStreams() {
      return evaluationStreams == 0 ? batchSize : evaluationStreams;
    }

    /** The optimizer, with Lookahead around it where that is set. */
    Optimizer newOptimizer(Tracker learningRate) {
      Optimizer inner =
          optimizer == null
              ? Lamb.builder().optLearningRateTracker(learningRate).build()
              : optimizer;
      return lookaheadSteps == 0 ? inner : Lookahead.around(inner, lookaheadSteps, lookaheadAlpha);
    }

    /** Checks that each part is long enough for its streams and has the model's vocabulary. */
    void checkParts(Corpus corpus) {
      Evaluation.checkVocabulary(SHARNN.of(model), corpus.train());
      StreamDataset.fixed(corpus.train(), batchSize, sequenceLength);
      StreamDataset.fixed(corpus.validation(), evaluationStreams(), sequenceLength);
    }

    DataType precision() {
      Device device = usesLamb() ? model.getNDManager().getDevice() : Device.cpu();
      return MixedPrecisionWeights.orDefault(
          precision, device); // another optimizer has FLOAT32 anywhere
    }

    private boolean usesLamb() {
      return optimizer == null || optimizer instanceof Lamb;
    }

    String optimizerName() {
      String name = optimizer == null ? "Lamb" : optimizer.getClass().getSimpleName();
      return optimizer instanceof Lookahead
          ? name + " (set lookahead(steps, alpha) instead)"
          : name;
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
      WeightAverage.check(averageDecay);
      SequenceCrossEntropy.check(labelSmoothing, SHARNN.of(model).config().hasSplits());
      checkArgument(
          zeroStateProbability >= 0 && zeroStateProbability < 1,
          "zeroStateProbability must be at least 0 and below 1, but is %s",
          zeroStateProbability);
      checkArgument(
          evaluationInterval >= 0,
          "evaluationInterval must be at least 0, but is %s",
          evaluationInterval);
      MixedPrecisionWeights.check(precision);
      MixedPrecisionWeights.checkSize(this);
      checkArgument(
          precision != DataType.FLOAT16 || usesLamb(),
          "precision FLOAT16 works with Lamb alone, but the optimizer is %s: use FLOAT32 with it",
          optimizerName());
      checkArgument(
          checkpoints == null || usesLamb(),
          "checkpoints work with Lamb alone, but the optimizer is %s: DJL hides its moments",
          optimizerName());
      return new SHARNNTrainer(this);
    }
  }
}
