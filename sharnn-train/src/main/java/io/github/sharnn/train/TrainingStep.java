package io.github.sharnn.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListener.BatchData;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Forward and backward over one batch through a DJL {@link Trainer}, with the recurrent state that
 * only this project has. Gradients add up until {@code Trainer.step()}.
 */
final class TrainingStep {

  private final Trainer trainer;
  private final SHARNN block;

  TrainingStep(Trainer trainer) {
    this.trainer = trainer;
    this.block = SHARNN.of(trainer.getModel());
  }

  /**
   * What a batch gives: its mean loss in nats, not yet read back, and the state after it; both
   * detached from the graph.
   */
  record Result(NDArray loss, SHARNNState state) {}

  /**
   * Runs one batch and tells DJL's listeners.
   *
   * @param batch tokens and labels {@code (B, T)}
   * @param state the state before the batch; it stays as it is
   * @param weight what the loss is multiplied by before backward: 1 over the number of batches
   *     whose gradients add up
   */
  Result run(Batch batch, SHARNNState state, float weight) {
    NDList labels = batch.getLabels();
    NDList inputs = new NDList(batch.getData().head());
    inputs.addAll(state.toNDList());
    NDList predictions;
    NDArray loss;
    try (GradientCollector collector = trainer.newGradientCollector()) {
      predictions = trainer.forward(inputs, labels);
      loss = trainer.getLoss().evaluate(labels, predictions);
      long begin = System.nanoTime();
      collector.backward(weight == 1 ? loss : loss.mul(scalar(weight, loss)));
      trainer.addMetric("backward", begin);
    }
    BatchData batchData =
        new BatchData(
            batch,
            new ConcurrentHashMap<>(Map.of(loss.getDevice(), labels)),
            new ConcurrentHashMap<>(Map.of(loss.getDevice(), predictions)));
    trainer.notifyListeners(listener -> listener.onTrainingBatch(trainer, batchData));
    SHARNNState next = SHARNNState.fromNDList(block.config(), predictions.subNDList(1)).detach();
    return new Result(loss.stopGradient(), next);
  }

  /** Not {@code mul(Number)}: its number may be garbage by the time of backward. */
  private static NDArray scalar(float value, NDArray like) {
    return like.getManager().full(new Shape(), value, like.getDataType());
  }
}
