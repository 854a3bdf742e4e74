package io.github.sharnn.train;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.training.optimizer.Optimizer;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.CurrentLearningRate;
import io.github.sharnn.train.optim.FusedOptimizer;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.Lookahead;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.WeightUpdate;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One stage of a run, with the results of the earlier stages.
 *
 * @param index the place of this stage, from 0
 * @param earlier the evaluations of each stage before this one
 * @param earlierBest the best weights of the stages before this one, or null in the first
 */
record StageContext(
    List<TrainingStage> stages,
    int index,
    List<List<StepReport>> earlier,
    @Nullable BestWeights earlierBest,
    @Nullable RunCheckpoints checkpoints) {

  private static final Logger LOGGER = LoggerFactory.getLogger(SHARNNTrainer.class);

  /** Returns this stage's rate, or null for the trainer's own tracker. */
  @Nullable LearningRateSchedule learningRate() {
    return stages.get(index).learningRate();
  }

  /** Returns the checkpoint to resume in this stage, or null. */
  @Nullable Checkpoint resumed() {
    return checkpoints == null ? null : checkpoints.resumed(index);
  }

  /** Trains one stage. The model then holds the best weights of the stage. */
  FitResult train(TrainerSetup setup, Corpus corpus) {
    TrainingOptions options = setup.options();
    Model model = setup.model();
    StreamDataset dataset = setup.dataset(corpus);
    model.getNDManager().getEngine().setRandomSeed(options.seed());
    CurrentLearningRate rate =
        new CurrentLearningRate(learningRate() == null ? setup.learningRate() : learningRate());
    FusedOptimizer own = setup.optimizer() == null ? options.optimizer().create(rate) : null;
    Optimizer optimizer = own == null ? setup.optimizer() : own;
    Lookahead lookahead = setup.lookahead(optimizer);
    TrainingConfig config = setup.config(lookahead == null ? optimizer : lookahead);
    Shape tokens = new Shape(options.batchSize(), options.sequenceLength());
    Kernels.Use before = setup.block().kernels();
    // samples of a run need not have a kernel, such as those of a model with splits
    boolean required = options.kernels() == Kernels.Use.REQUIRED;
    setup.block().kernels(required ? Kernels.Use.AUTO : options.kernels());
    try (own;
        MixedPrecisionWeights weights =
            MixedPrecisionWeights.of(model, options.precision(), tokens);
        Trainer trainer = weights.model().newTrainer(config);
        BestWeights best = new BestWeights(setup.block(), model.getNDManager())) {
      SHARNN.of(trainer.getModel()).kernels(options.kernels()); // what computes the steps
      trainer.setMetrics(setup.metrics());
      trainer.initialize(tokens);
      if (LOGGER.isInfoEnabled()) {
        RunHeader.of(model, trainer.getModel().getDataType()).forEach(LOGGER::info);
      }
      NDManager manager = trainer.getManager().newSubManager(); // closed with the trainer
      try (WeightUpdate update =
          new WeightUpdate(
              weights, trainer, optimizer, lookahead, options.clipNorm(), options.averageDecay())) {
        if (setup.outerStep() != null) {
          setup.outerStep().begin(weights, manager);
        }
        TrainState state = new TrainState(setup, weights, update, manager, best, rate, this);
        return new TrainingLoop(setup, trainer, update, this, state, corpus, dataset).train();
      }
    } finally {
      setup.block().kernels(before);
    }
  }
}
