package io.github.sharnn.train.step;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import ai.djl.training.loss.SoftmaxCrossEntropyLoss;

/**
 * The mean cross-entropy over every step of every stream, weighted by {@link TokenWeights} if the
 * labels have them, in nats: DJL's {@link SoftmaxCrossEntropyLoss} on logits {@code (B, T, V)} and
 * labels {@code (B, T)}. The softmax is computed in FLOAT32, or in FLOAT64 for FLOAT64 logits.
 * Divide by {@link #NATS_PER_BIT} to get bits per character.
 *
 * <p>A model with splits predicts the labels' log-probabilities {@code (B, T)} instead of logits.
 * The loss is then their negative mean. Predictions after the first, which are the recurrent state,
 * are ignored.
 *
 * <p>With label smoothing s, the loss is {@code (1 - s) * crossEntropy + s * (mean of -log p over
 * all V)}: a share s of each target is spread over all tokens (Szegedy et al., arXiv:1512.00567,
 * section 7). Use it for training only. The smoothed loss is not a likelihood, so evaluate without
 * smoothing.
 */
public final class SequenceCrossEntropy extends Loss {

  /** The natural logarithm of 2. */
  public static final double NATS_PER_BIT = Math.log(2);

  private final Loss crossEntropy = new SoftmaxCrossEntropyLoss();

  private final Loss likelihood = // of log-probabilities
      new SoftmaxCrossEntropyLoss("NegativeLogLikelihood", 1, -1, true, false);
  private final float labelSmoothing;

  /** Creates the loss without label smoothing. */
  public SequenceCrossEntropy() {
    this(0);
  }

  /**
   * Creates the loss.
   *
   * @param labelSmoothing share of each target spread over all tokens, at least 0 and below 1
   * @throws IllegalArgumentException if the share is out of range
   */
  public SequenceCrossEntropy(float labelSmoothing) {
    super("SequenceCrossEntropy");
    check(labelSmoothing, false);
    this.labelSmoothing = labelSmoothing;
  }

  /**
   * Checks a share of label smoothing.
   *
   * @param labelSmoothing share of each target spread over all tokens
   * @param splits true for a model with splits
   * @throws IllegalArgumentException if the share is out of range, or not 0 with splits
   */
  public static void check(float labelSmoothing, boolean splits) {
    checkArgument(
        labelSmoothing >= 0 && labelSmoothing < 1,
        "labelSmoothing must be at least 0 and below 1, but is %s",
        labelSmoothing);
    checkArgument(
        labelSmoothing == 0 || !splits,
        "labelSmoothing must be 0 for a model with splits, but is %s: training such a model computes"
            + " the labels' probabilities only; set labelSmoothing to 0, or build the model without"
            + " splits",
        labelSmoothing);
  }

  /** The loss to report, which is never smoothed, and the loss to train on. */
  record Values(NDArray crossEntropy, NDArray objective) {}

  /**
   * Computes the loss to train on.
   *
   * @param labels the labels, first in the list
   * @param predictions logits {@code (B, T, V)} or log-probabilities {@code (B, T)}, first in the
   *     list
   * @return the loss in nats, without axes; FLOAT32, or FLOAT64 for predictions of FLOAT64
   * @throws IllegalArgumentException if the shapes do not fit
   */
  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    return values(labels, predictions).objective();
  }

  Values values(NDList labels, NDList predictions) {
    NDArray logits = predictions.head();
    checkShapes(labels.head().getShape(), logits.getShape());
    NDArray weights = TokenWeights.of(labels);
    if (logits.getShape().dimension() == 2) {
      check(labelSmoothing, true);
      NDArray loss = (weights == null ? logits : logits.mul(weights)).mean().neg();
      return new Values(loss, loss);
    }
    if (logits.getDataType() == DataType.FLOAT16) {
      // by type promotion, because DJL's toType cuts the gradient
      logits = logits.add(logits.getManager().zeros(new Shape(1), DataType.FLOAT32));
    }
    NDList targets = new NDList(labels.head().reshape(-1, 1)); // (B, T) -> (B*T, 1)
    NDArray rows = logits.reshape(-1, logits.size(2)); // (B, T, V) -> (B*T, V)
    if (weights != null) {
      return weighted(rows, targets.head(), weights.reshape(-1, 1)); // (B, T) -> (B*T, 1)
    }
    if (labelSmoothing == 0) {
      NDArray loss = crossEntropy.evaluate(targets, new NDList(rows));
      return new Values(loss, loss);
    }
    NDArray logProbabilities = rows.logSoftmax(1);
    NDArray loss = likelihood.evaluate(targets, new NDList(logProbabilities));
    NDArray share = scalar(1 - labelSmoothing, loss);
    NDArray even = scalar(labelSmoothing, loss);
    return new Values(loss, loss.mul(share).sub(logProbabilities.mean().mul(even)));
  }

  private Values weighted(NDArray rows, NDArray targets, NDArray weights) {
    NDArray logProbabilities = rows.logSoftmax(1);
    NDArray loss = logProbabilities.gather(targets, 1).mul(weights).mean().neg();
    if (labelSmoothing == 0) {
      return new Values(loss, loss);
    }
    NDArray share = scalar(1 - labelSmoothing, loss);
    NDArray even = scalar(labelSmoothing, loss);
    NDArray mean = logProbabilities.mul(weights).mean();
    return new Values(loss, loss.mul(share).sub(mean.mul(even)));
  }

  /** Checks the shapes. DJL's loss accepts too few labels, and logits of any shape. */
  private static void checkShapes(Shape labels, Shape predictions) {
    int axes = predictions.dimension();
    checkArgument(
        (axes == 2 || axes == 3)
            && labels.size() == predictions.size() / (axes == 2 ? 1 : predictions.get(2)),
        "predictions must be logits (B, T, V) for labels (B, T), or log-probabilities (B, T) for a"
            + " model with splits, but have the shape %s for labels %s",
        predictions,
        labels);
  }

  /**
   * Returns a scalar array for a product with a gradient. {@code mul(Number)} would be wrong there,
   * because DJL frees the number's memory before backward reads it.
   */
  static NDArray scalar(float value, NDArray like) {
    return like.getManager().full(new Shape(), value, like.getDataType());
  }
}
