package io.github.sharnn.train.evaluate;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import com.google.common.collect.Iterables;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.step.TrainingStep;
import java.util.function.DoubleConsumer;

/** The recurrent state and the sums of a running {@link DynamicEvaluation}. */
final class AdaptingRun {

  private final DynamicEvaluation.Settings settings;
  private final SHARNN block;
  private final NDManager manager; // closed with the trainer
  private final TrainingStep step;
  private final Adaptation adaptation;
  private final DoubleConsumer segments;
  private SHARNNState state;
  private double nats;
  private long predicted;

  /** Reports the mean loss of each predicted segment to {@code segments}. */
  AdaptingRun(
      DynamicEvaluation.Settings settings,
      MixedPrecisionWeights weights,
      Trainer trainer,
      NDList trained,
      DoubleConsumer segments) {
    this.settings = settings;
    this.block = SHARNN.of(weights.model());
    this.manager = trainer.getManager();
    this.step = new TrainingStep(trainer);
    this.segments = segments;
    this.adaptation = new Adaptation(settings, weights, trained, manager);
    this.state = block.zeroState(manager, settings.streams());
  }

  /** Returns the total loss of the tokens so far. */
  double nats() {
    return nats;
  }

  /** Returns the number of tokens so far. */
  long predicted() {
    return predicted;
  }

  /** Takes the statistics from whole segments of the training part. Resets the state. */
  void measure(StreamDataset dataset, Corpus.Part training) {
    long whole = dataset.streamLength() / settings.sequenceLength();
    int count = (int) Math.min(whole, settings.statisticsSegments());
    for (Batch batch : Iterables.limit(dataset.getData(manager), count)) {
      run(batch);
      adaptation.measure();
    }
    adaptation.begin(training);
    replaceState(block.zeroState(manager, settings.streams()));
  }

  /** Predicts a segment, then adapts the weights. */
  void predict(Batch batch) {
    if (batch.getSize() < state.batchSize()) { // the rest: only the last stream goes on
      replaceState(state.streams(state.batchSize() - 1, state.batchSize()));
    }
    long tokens = batch.getData().head().size();
    double loss = run(batch);
    nats += loss * tokens;
    predicted += tokens;
    segments.accept(loss);
    adaptation.adapt();
  }

  /** Runs forward and backward and returns the mean loss. */
  private double run(Batch batch) {
    try (batch) {
      TrainingStep.Slices slices =
          step.runSlices(batch, new SHARNNState[] {state}, adaptation.lossScale(), manager);
      replaceState(slices.states()[0]);
      return slices.meanLoss();
    }
  }

  private void replaceState(SHARNNState next) {
    state.close();
    state = next.attach(manager);
  }
}
