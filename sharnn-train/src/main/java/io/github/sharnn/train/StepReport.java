package io.github.sharnn.train;

import java.io.Serializable;

/**
 * The figures of one optimizer step of {@link SHARNNTrainer#fit}.
 *
 * @param step the step, from 1
 * @param bytes bytes trained on in this stage, with each repetition; for other vocabularies than
 *     bytes, tokens times the mean bytes per token of the training part
 * @param used how much of the budget is used, from 0 to 1
 * @param seconds training time of the stage, without the time between a checkpoint and its resume
 * @param trainBpc bits per character of this step's batch before the update, with the same mean
 *     bytes per token
 * @param validationBpc bits per character of the validation part after the step, or NaN without an
 *     evaluation
 * @param bytesPerSecond speed of this step, without evaluation
 * @param gradientNorm global L2 norm of the gradients before clipping; not finite if FLOAT16
 *     gradients overflowed and the step was skipped
 * @param learningRate rate of this step, also of a skipped one, or NaN if {@link
 *     SHARNNTrainer.Builder#optimizer} set another optimizer
 * @param lossScale factor of this step's loss: 1 in FLOAT32
 * @serial exclude
 */
public record StepReport(
    long step,
    long bytes,
    double used,
    double seconds,
    double trainBpc,
    double validationBpc,
    double bytesPerSecond,
    double gradientNorm,
    float learningRate,
    double lossScale)
    implements Serializable {

  /** {@return whether the validation part was evaluated after this step} */
  public boolean evaluated() {
    return !Double.isNaN(validationBpc);
  }
}
