package io.github.sharnn.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import ai.djl.training.loss.SoftmaxCrossEntropyLoss;

/**
 * Mean cross-entropy in nats over every step of every stream: DJL's {@link SoftmaxCrossEntropyLoss}
 * on logits {@code (B, T, V)} and labels {@code (B, T)}. The softmax is computed in FLOAT32,
 * whatever the logits are. Predictions after the first, the recurrent state, are passed over. Bits
 * per character are this divided by {@link #NATS_PER_BIT}.
 */
public final class SequenceCrossEntropy extends Loss {

  /** The natural logarithm of 2. */
  public static final double NATS_PER_BIT = Math.log(2);

  private final Loss crossEntropy = new SoftmaxCrossEntropyLoss();

  /** Creates the loss. */
  public SequenceCrossEntropy() {
    super("SequenceCrossEntropy");
  }

  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    NDArray logits = predictions.head();
    if (logits.getDataType() == DataType.FLOAT16) {
      // type promotion, since DJL's toType would cut the gradient
      logits = logits.add(logits.getManager().zeros(new Shape(1), DataType.FLOAT32));
    }
    long vocabularySize = logits.size(2);
    return crossEntropy.evaluate(
        new NDList(labels.head().reshape(-1, 1)), // (B, T) -> (B*T, 1)
        new NDList(logits.reshape(-1, vocabularySize))); // (B, T, V) -> (B*T, V)
  }
}
