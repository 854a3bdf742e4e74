package io.github.sharnn.train.step;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListener.BatchData;
import ai.djl.translate.Batchifier;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.engine.kernels.GradientCuts;
import io.github.sharnn.softmax.ClusterLabels;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Forward and backward of one batch through a DJL {@link Trainer}, with a recurrent state.
 * Gradients accumulate over several calls until {@code Trainer.step()}.
 *
 * @param trainer an initialized trainer of a model with a {@link SHARNN}
 */
public record TrainingStep(Trainer trainer) {

  /**
   * The result of a batch, detached from the graph.
   *
   * @param loss mean loss in nats, not yet read back
   * @param state the state after the batch
   */
  public record Result(NDArray loss, SHARNNState state) {}

  /**
   * Runs one batch and tells DJL's listeners.
   *
   * @param batch tokens and labels {@code (B, T)}; for a model with splits, labels of {@link
   *     ClusterLabels}
   * @param state the state before the batch, which does not change
   * @param weight factor of the loss before backward: 1 / number of accumulated batches
   * @return the loss and the state after the batch
   */
  public Result run(Batch batch, SHARNNState state, float weight) {
    NDList labels = batch.getLabels();
    NDList inputs = new NDList(batch.getData().head());
    inputs.addAll(state.toNDList());
    NDList predictions;
    SequenceCrossEntropy.Values loss;
    try (GradientCuts cuts = GradientCuts.open(batch.getManager());
        GradientCollector collector = trainer.newGradientCollector()) {
      predictions = trainer.forward(inputs, TokenWeights.without(labels));
      loss = loss(labels, predictions);
      NDArray objective = loss.objective();
      long begin = System.nanoTime();
      collector.backward(
          weight == 1 ? objective : objective.mul(SequenceCrossEntropy.scalar(weight, objective)));
      cuts.backward();
      trainer.addMetric("backward", begin);
    }
    BatchData batchData = batchData(batch, predictions);
    trainer.notifyListeners(listener -> listener.onTrainingBatch(trainer, batchData));
    SHARNNConfig config = SHARNN.of(trainer.getModel()).config();
    SHARNNState next = SHARNNState.fromNDList(config, predictions.subNDList(1)).detach();
    return new Result(loss.crossEntropy().stopGradient(), next);
  }

  private SequenceCrossEntropy.Values loss(NDList labels, NDList predictions) {
    if (trainer.getLoss() instanceof SequenceCrossEntropy loss) {
      return loss.values(labels, predictions);
    }
    NDArray value = trainer.getLoss().evaluate(labels, predictions);
    return new SequenceCrossEntropy.Values(value, value);
  }

  /**
   * The results of a batch's slices.
   *
   * @param losses loss of each slice, not yet read back
   * @param states state after each slice
   */
  public record Slices(NDList losses, SHARNNState[] states) {

    /**
     * Waits for the device, reads the losses and closes them.
     *
     * @return the mean of the slices' losses, in nats
     */
    public double meanLoss() {
      try (losses) {
        return losses.stream().mapToDouble(NDArray::getFloat).average().orElseThrow();
      }
    }
  }

  /**
   * Runs a batch in slices of its streams. The gradients of the slices add up.
   *
   * @param batch tokens and labels {@code (B, T)}
   * @param states the state before the batch, for each slice
   * @param lossScale factor of the mean loss before backward
   * @param manager owns losses and states
   * @return the losses and the states after the batch
   */
  public Slices runSlices(Batch batch, SHARNNState[] states, double lossScale, NDManager manager) {
    float weight = (float) (lossScale / states.length);
    Slices slices = new Slices(new NDList(), new SHARNNState[states.length]);
    for (int i = 0; i < states.length; i++) {
      try (Batch slice = slice(batch, i, states.length)) {
        Result result = run(slice, states[i], weight);
        slices.states[i] = result.state().attach(manager);
        result.loss().attach(manager);
        slices.losses.add(result.loss());
      }
    }
    return slices;
  }

  private static Batch slice(Batch batch, int index, int count) {
    NDManager manager = batch.getManager().newSubManager();
    int streams = batch.getSize() / count;
    int from = index * streams;
    NDIndex rows = new NDIndex("{}:{}", from, from + streams);
    NDList data = new NDList(batch.getData().head().get(rows)); // (B, T) -> (streams, T)
    NDList all = batch.getLabels();
    NDList labels = ClusterLabels.streams(TokenWeights.without(all), from, from + streams);
    NDArray weights = TokenWeights.of(all);
    if (weights != null) {
      labels.add(weights.get(rows)); // (B, T) -> (streams, T)
    }
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

  /**
   * Notifies DJL's listeners of a validation batch.
   *
   * @param batch tokens and labels {@code (B, T)}
   * @param predictions the model's output
   */
  public void notifyValidation(Batch batch, NDList predictions) {
    BatchData batchData = batchData(batch, predictions);
    trainer.notifyListeners(listener -> listener.onValidationBatch(trainer, batchData));
  }

  private static BatchData batchData(Batch batch, NDList predictions) {
    NDList labels = batch.getLabels();
    Device device = labels.head().getDevice();
    return new BatchData(
        batch,
        new ConcurrentHashMap<>(Map.of(device, labels)),
        new ConcurrentHashMap<>(Map.of(device, predictions)));
  }
}
