package io.github.sharnn.train.step;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import ai.djl.training.loss.SoftmaxCrossEntropyLoss;

/**
 * Mean cross-entropy in nats over every step of every stream: DJL's {@link SoftmaxCrossEntropyLoss}
 * on logits {@code (B, T, V)} and labels {@code (B, T)}. The softmax is computed in FLOAT32,
 * whatever the logits are. A model with splits gives the labels' log-probabilities {@code (B, T)}
 * in their place; then it is their mean. Predictions after the first, the recurrent state, are
 * passed over. Bits per character are this divided by {@link #NATS_PER_BIT}.
 *
 * <p>With label smoothing of s it is {@code (1 - s) * that + s * (mean of -log p over all V)}: the
 * cross-entropy with targets of which the share s is spread evenly (Szegedy et al.,
 * arXiv:1512.00567, section 7). That is to train with; it is no likelihood, so evaluate without.
 */
public final class SequenceCrossEntropy extends Loss {

  /** The natural logarithm of 2. */
  public static final double NATS_PER_BIT = Math.log(2);

  private final Loss crossEntropy = new SoftmaxCrossEntropyLoss();

  // of logarithms of probabilities
  private final Loss likelihood =
      new SoftmaxCrossEntropyLoss("NegativeLogLikelihood", 1, -1, true, false);
  private final float labelSmoothing;

  /** Creates the loss without label smoothing. */
  public SequenceCrossEntropy() {
    this(0);
  }

  /**
   * Creates the loss.
   *
   * @param labelSmoothing the share that is spread over all tokens, at least 0 and below 1
   * @throws IllegalArgumentException naming the option, its rule and its value
   */
  public SequenceCrossEntropy(float labelSmoothing) {
    super("SequenceCrossEntropy");
    check(labelSmoothing, false);
    this.labelSmoothing = labelSmoothing;
  }

  public static void check(float labelSmoothing, boolean splits) {
    checkArgument(
        labelSmoothing >= 0 && labelSmoothing < 1,
        "labelSmoothing must be at least 0 and below 1, but is %s",
        labelSmoothing);
    checkArgument(
        labelSmoothing == 0 || !splits,
        "labelSmoothing must be 0 for a model with splits, since training computes the probabilities"
            + " of the labels alone there, but is %s",
        labelSmoothing);
  }

  /** What is reported, which is never smoothed, and what gradients are of. */
  record Values(NDArray crossEntropy, NDArray objective) {}

  /**
   * Computes the loss.
   *
   * @param labels begin with the labels, as many as there are predictions
   * @param predictions begin with logits {@code (B, T, V)} or log-probabilities {@code (B, T)}
   * @return nats, without axes, FLOAT32 or the predictions' FLOAT64
   * @throws IllegalArgumentException if the shapes are others
   */
  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    return values(labels, predictions).objective();
  }

  /** Both values from one softmax. */
  Values values(NDList labels, NDList predictions) {
    NDArray logits = predictions.head();
    checkShapes(labels.head().getShape(), logits.getShape());
    if (logits.getShape().dimension() == 2) {
      check(labelSmoothing, true);
      NDArray loss = logits.mean().neg();
      return new Values(loss, loss);
    }
    if (logits.getDataType() == DataType.FLOAT16) {
      // type promotion, since DJL's toType would cut the gradient
      logits = logits.add(logits.getManager().zeros(new Shape(1), DataType.FLOAT32));
    }
    NDList targets = new NDList(labels.head().reshape(-1, 1)); // (B, T) -> (B*T, 1)
    NDArray rows = logits.reshape(-1, logits.size(2)); // (B, T, V) -> (B*T, V)
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

  /**
   * DJL's loss takes the first labels where there are too few, and matrices of logits as they come.
   */
  private static void checkShapes(Shape labels, Shape predictions) {
    int axes = predictions.dimension();
    checkArgument(
        (axes == 2 || axes == 3)
            && labels.size() == predictions.size() / (axes == 2 ? 1 : predictions.get(2)),
        "predictions must be logits (B, T, V) for labels (B, T), or of a model with splits their"
            + " log-probabilities (B, T), but have the shape %s for labels %s",
        predictions,
        labels);
  }

  /** Not {@code mul(Number)}: its number may be garbage by the time of backward. */
  static NDArray scalar(float value, NDArray like) {
    return like.getManager().full(new Shape(), value, like.getDataType());
  }
}
