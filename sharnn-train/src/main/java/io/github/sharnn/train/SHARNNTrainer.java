package io.github.sharnn.train;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.step.SoleTraining;
import java.util.List;

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
 * <p>With {@link SHARNNTrainerBuilder#checkpoints} a run that was killed goes on as if nothing had
 * happened: on a CPU every number is the same to the last bit.
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

  private final SHARNNTrainerBuilder options;

  SHARNNTrainer(SHARNNTrainerBuilder options) {
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
  public static SHARNNTrainerBuilder builder(Model model) {
    return new SHARNNTrainerBuilder(model);
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
   * @throws TrainingStoppedException if {@link SHARNNTrainerBuilder#stopWhen} stopped it
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
}
