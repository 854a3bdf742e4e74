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
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Records;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.FusedOptimizer;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.Lookahead;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.OptimizerSettings;
import io.github.sharnn.train.optim.OuterStep;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.SoleTraining;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A trainer of a {@link io.github.sharnn.SHARNN} on a {@link Corpus} with the recipe of the paper.
 * The trainer wraps DJL's {@link ai.djl.training.Trainer}, so DJL's listeners, metrics, optimizers
 * and trackers work.
 *
 * <pre>{@code
 * Corpus corpus = Corpus.open(Path.of("book.txt"));
 * try (Model model = SHARNN.builder().embeddingSize(128).boomSize(512).build().newModel("book")) {
 *   FitResult result = SHARNNTrainer.builder(model).build().fit(corpus, Budget.epochs(3));
 *   model.save(Path.of("book-model"), null);
 * }
 * }</pre>
 *
 * <p>Each step runs one segment of every stream, from the state after the previous segment, clips
 * the gradients by global norm and runs the optimizer. State starts from zero at each pass over the
 * data. After each pass, and every {@code evaluationInterval} steps, the trainer evaluates the
 * validation part. At the end the model has the weights with the best validation figure.
 *
 * <p>With {@link Builder#checkpoints}, a killed run can resume. On a CPU, the results are
 * bit-identical to those of an uninterrupted run.
 *
 * <p>Frozen parameters ({@code Block.freezeParameters}) do not change, even in a loaded model.
 *
 * <p>Training runs on one device, the model's. The same seed on the same machine gives the same
 * numbers: {@code fit} sets the seed of DJL's engine before each step to a function of seed and
 * step.
 *
 * <p>A process runs one {@code fit} at a time, since DJL records the gradients of one training at a
 * time. A second {@code fit} fails at once and the first continues. Meanwhile other threads may
 * evaluate and generate with other models. Only listeners and {@code onStep} should use the model
 * in training, whose weights change in the middle of a forward pass on another thread. Creating or
 * loading a model during {@code fit} uses dropout's random number generator, so the run is then not
 * repeatable bit for bit.
 */
public final class SHARNNTrainer {

  private final TrainerSetup setup;

  private SHARNNTrainer(TrainerSetup setup) {
    this.setup = setup;
  }

  /**
   * Starts a trainer with the paper's options.
   *
   * @param model a DJL model with a {@link io.github.sharnn.SHARNN}, initialized or not; it is
   *     trained in place
   * @return the builder
   * @throws IllegalArgumentException if the model holds another block
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /** {@return the options that this trainer was built with} */
  public TrainingOptions options() {
    return setup.options();
  }

  Tracker learningRate() {
    return setup.learningRate();
  }

  /**
   * Checks that a corpus fits the model and the options, as {@code fit} does before it changes
   * anything.
   *
   * @param corpus the corpus
   * @throws IllegalArgumentException if a part is too short for the number of streams, or has
   *     another vocabulary than the model
   * @throws IllegalStateException if {@link Builder#kernels} are required but can't run
   */
  public void check(Corpus corpus) {
    setup.check(corpus);
  }

  /**
   * Trains. Logs the {@link io.github.sharnn.RunHeader} and each evaluation at INFO.
   *
   * <p>After {@link Thread#interrupt}, as by {@code Future.cancel(true)}, the run ends with the
   * step: it saves a checkpoint, if {@link Builder#checkpoints} is set, and returns. An evaluation
   * in progress is given up, except in a run with checkpoints, which could not resume to the bit.
   *
   * @param corpus the corpus; its training part is trained on, its validation part selects the best
   *     weights
   * @param budget when to stop
   * @return the history, and why the run ended. The model holds the weights of {@link
   *     FitResult#best()}, or of the last step if the run was stopped before an evaluation. After a
   *     resume, the history contains at most 5,000 evaluations of earlier steps: the newest and the
   *     best
   * @throws IllegalArgumentException if a part is too short for the number of streams, the model's
   *     weights are not FLOAT32, or the checkpoint to resume has other options: the message lists
   *     them
   * @throws TrainingDivergedException if the loss or the gradients are no longer finite; with
   *     checkpoints, if going back to one did not help
   * @throws IllegalStateException at once if another {@code fit} is running in this process
   * @throws java.io.UncheckedIOException if the folder of the checkpoints can't be used, or the
   *     checkpoint to resume is damaged ({@link
   *     io.github.sharnn.train.checkpoint.DamagedCheckpointException}, the cause)
   */
  public FitResult fit(Corpus corpus, Budget budget) {
    LearningRateSchedule schedule =
        setup.learningRate() instanceof LearningRateSchedule rate ? rate : null;
    return run(corpus, List.of(new TrainingStage(schedule, budget))).get(0);
  }

  /**
   * Trains in stages, each from the best weights of the stage before. At the end the model has the
   * best weights of all stages. With {@link Builder#checkpoints} a run resumes in the stage that it
   * was in. Each stage's learning rate takes the place of {@link Builder#learningRate}.
   *
   * @param corpus the corpus to train and validate on
   * @param stages at least one
   * @return the result of each stage that began; only the last one can be incomplete
   * @throws IllegalArgumentException if there is no stage, or one without a learning rate, or the
   *     trainer has an optimizer of its own, or as in {@link #fit(Corpus, Budget)}
   * @throws TrainingDivergedException as in {@link #fit(Corpus, Budget)}
   * @throws IllegalStateException at once if another {@code fit} is running in this process
   * @throws java.io.UncheckedIOException as in {@link #fit(Corpus, Budget)}
   */
  public List<FitResult> fit(Corpus corpus, List<TrainingStage> stages) {
    checkArgument(!stages.isEmpty(), "stages must not be empty");
    checkArgument(
        stages.stream().allMatch(stage -> stage.learningRate() != null),
        "each stage must have a learning rate, but one has none: for a run with a tracker of its own,"
            + " call fit(corpus, budget)");
    checkArgument(
        setup.optimizer() == null,
        "stages set the learning rate of LAMB, AdamW or Muon as OptimizerSettings name them, but the"
            + " optimizer is %s: call fit(corpus, budget) for each stage instead",
        Builder.name(setup.optimizer()));
    return run(corpus, List.copyOf(stages));
  }

  private List<FitResult> run(Corpus corpus, List<TrainingStage> stages) {
    Lifetime.Lease lease = SHARNN.lease(setup.model());
    try (lease) {
      return runLeased(corpus, stages);
    }
  }

  private List<FitResult> runLeased(Corpus corpus, List<TrainingStage> stages) {
    setup.check(corpus);
    // once for all stages, so that no other fit can begin between two stages
    SoleTraining.begin(setup.model().getName());
    try (RunCheckpoints checkpoints =
            setup.checkpoints() == null ? null : RunCheckpoints.open(setup, corpus, stages.size());
        BestWeights best = new BestWeights(setup.block(), setup.model().getNDManager())) {
      List<FitResult> results = new ArrayList<>();
      if (checkpoints != null) {
        checkpoints.restoreEarlier(stages, results, best);
      }
      boolean complete = true;
      for (int i = results.size(); i < stages.size() && complete; i++) {
        List<List<StepReport>> earlier = results.stream().map(FitResult::evaluations).toList();
        StageContext stage =
            new StageContext(stages, i, earlier, i == 0 ? null : best, checkpoints);
        FitResult result = stage.train(setup, corpus);
        results.add(result);
        complete = result.isComplete();
        if (stages.size() > 1 && !result.evaluations().isEmpty()) {
          best.saveIfBest(result.best().validationBpc());
        }
      }
      if (stages.size() > 1) {
        best.restore();
      }
      return results;
    } finally {
      SoleTraining.end();
    }
  }

  /**
   * A builder of a trainer: the options of {@link TrainingOptions.Builder}, and objects that a
   * checkpoint does not save, such as listeners.
   */
  public static final class Builder extends TrainingOptions.Builder<Builder> {

    private final Model model;
    private Tracker defaultLearningRate = LearningRateSchedule.peak(2e-3f).warmUp(800);
    private @Nullable Tracker learningRate; // null: the default
    private @Nullable Optimizer optimizer; // null: by OptimizerSettings
    private final List<TrainingListener> listeners = new ArrayList<>();
    private @Nullable Metrics metrics;
    private Consumer<StepReport> onStep = report -> {};
    private @Nullable CheckpointPolicy checkpoints;
    private BooleanSupplier stopWhen = () -> false;
    private @Nullable LongUnaryOperator drawnTokens;
    private @Nullable OuterStep outerStep;
    private boolean savable = true;

    private Builder(Model model) {
      SHARNN.of(model);
      this.model = model;
    }

    /**
     * Sets the learning rate of the optimizer's hidden matrices, and of all else unless the
     * optimizer's settings say otherwise. Default 2e-3 after 800 steps of warm-up. An {@link
     * #optimizer(Optimizer)} of your own has its own rate and can't be combined with this option.
     *
     * @param tracker gives the rate of a step, counted from 1
     * @return this builder
     */
    public Builder learningRate(Tracker tracker) {
      learningRate =
          checkNotNull(tracker, "learningRate must not be null: omit the call for the default");
      return this;
    }

    /**
     * Sets an optimizer of your own, with its own learning rate. The last call of this method or of
     * {@link #optimizer(OptimizerSettings)} decides. DJL's Adam, AdamW and Sgd work. An optimizer
     * keeps its moments: use a new one for a new run.
     *
     * @param other the optimizer
     * @return this builder
     */
    public Builder optimizer(Optimizer other) {
      optimizer = other;
      return this;
    }

    /**
     * Sets the optimizer. Default LAMB. The last call of this method or of {@link
     * #optimizer(Optimizer)} decides.
     *
     * @param settings the optimizer and its options
     * @return this builder
     */
    @Override
    public Builder optimizer(OptimizerSettings settings) {
      optimizer = null;
      return super.optimizer(settings);
    }

    /** Sets the rate that {@link #learningRate} replaces, and an optimizer of one's own ignores. */
    Builder defaultLearningRate(Tracker tracker) {
      defaultLearningRate = tracker;
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
     * @param collector gets the metrics
     * @return this builder
     */
    public Builder metrics(Metrics collector) {
      metrics = collector;
      return this;
    }

    /**
     * Adds a callback after each step, on the training thread, such as a {@link
     * io.github.sharnn.train.progress.ProgressLine} or a {@link MetricsFile}. Default none.
     *
     * @param callback gets the report that the history will hold
     * @return this builder
     */
    public Builder onStep(Consumer<StepReport> callback) {
      checkNotNull(callback, "onStep must not be null: omit the call for the default");
      onStep = onStep.andThen(callback);
      return this;
    }

    /**
     * Saves checkpoints, and resumes from one if the policy says so. Works only with a {@link
     * FusedOptimizer}. Default: no checkpoints.
     *
     * @param policy where and when
     * @return this builder
     */
    public Builder checkpoints(CheckpointPolicy policy) {
      checkpoints = policy;
      return this;
    }

    /**
     * Stops the run after a step if the condition is true. The run then saves a checkpoint, if
     * {@link #checkpoints} is set, and {@code fit} returns with {@link FitResult.End#STOPPED}.
     * Default never.
     *
     * @param condition called on the training thread; any thread may change its value
     * @return this builder
     */
    public Builder stopWhen(BooleanSupplier condition) {
      stopWhen =
          checkNotNull(condition, "stopWhen must not be null: omit the call for the default");
      return this;
    }

    /**
     * Takes a step of an outer optimizer from time to time, together with other workers if there
     * are any. Each worker is a process of its own, with its own part of the corpus and the same
     * options. The run then evaluates only after outer steps. Default none.
     *
     * @param step the outer step, used by one training at a time
     * @return this builder
     */
    public Builder outerStep(OuterStep step) {
      outerStep = step;
      return this;
    }

    /**
     * Sets the trainer up for benchmarks: replaces the corpus's tokens by a function of the
     * position, and allows models that are too large to save.
     *
     * @param tokens returns the token at a position of the training part; null for the corpus's own
     * @return this builder
     */
    public Builder benchmark(@Nullable LongUnaryOperator tokens) {
      drawnTokens = tokens;
      savable = false;
      return this;
    }

    /**
     * Builds the trainer. Changing this builder later does not change the trainer.
     *
     * @return the trainer
     * @throws IllegalArgumentException naming the option, its rule and its value
     */
    public SHARNNTrainer build() {
      boolean fused = optimizer == null || optimizer instanceof FusedOptimizer;
      Device device = fused ? model.getNDManager().getDevice() : Device.cpu();
      TrainingOptions options = options(MixedPrecisionWeights.orDefault(null, device));
      if (optimizer instanceof FusedOptimizer given) {
        options = Records.with(options, "optimizer", given.settings());
      }
      SHARNNConfig config = SHARNN.of(model).config();
      SequenceCrossEntropy.check(options.labelSmoothing(), config.hasSplits());
      if (savable) {
        MixedPrecisionWeights.checkSize(config);
      }
      checkArgument(
          options.precision() != DataType.FLOAT16 || fused,
          "precision FLOAT16 works only with Lamb, AdamW and Muon of this library, but the optimizer"
              + " is %s: set precision FLOAT32",
          name(optimizer));
      checkArgument(
          checkpoints == null || fused,
          "checkpoints work only with Lamb, AdamW and Muon of this library, but the optimizer is %s:"
              + " DJL hides its moments",
          name(optimizer));
      if (outerStep != null) {
        checkOuterStep(options);
      }
      checkArgument(
          learningRate == null || optimizer == null,
          "learningRate can't be combined with an optimizer that has a rate of its own (%s): give the"
              + " rate to the optimizer, or leave one of the two out",
          name(optimizer));
      return new SHARNNTrainer(
          new TrainerSetup(
              model,
              options,
              learningRate == null ? defaultLearningRate : learningRate,
              optimizer,
              listeners,
              metrics,
              onStep,
              checkpoints,
              stopWhen,
              drawnTokens,
              outerStep));
    }

    private void checkOuterStep(TrainingOptions options) {
      OuterStep.Settings outer = outerStep.settings();
      checkArgument(
          options.evaluationInterval() % outer.interval() == 0,
          "evaluationInterval must be a multiple of the interval between outer steps (%s), or 0, but is"
              + " %s",
          outer.interval(),
          options.evaluationInterval());
      checkArgument(
          options.lookaheadSteps() == 0,
          "lookahead can't be combined with an outer step, which moves the weights too: leave one of the"
              + " two out");
      checkArgument(
          outer.workers() == 1 || checkpoints == null || checkpoints.rollbacks() == 0,
          "a run with %s workers can't go back after a divergence, since the others would go on: set"
              + " rollbacks(0) for its checkpoints",
          outer.workers());
    }

    private static String name(@Nullable Optimizer optimizer) {
      String name = optimizer == null ? "by settings" : optimizer.getClass().getName();
      return optimizer instanceof Lookahead
          ? name + " (set lookahead(steps, alpha) instead)"
          : name;
    }
  }
}
