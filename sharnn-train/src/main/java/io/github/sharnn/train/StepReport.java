package io.github.sharnn.train;

/**
 * The figures of one optimizer step of {@link SHARNNTrainer#fit}.
 *
 * @param step the step, from 1
 * @param bytes bytes trained on so far, each as often as it was read; with another vocabulary than
 *     bytes, tokens times the training part's mean bytes a token
 * @param used how much of the budget is used, from 0 to 1
 * @param seconds wall-clock time since fit was called
 * @param trainBpc bits per character of this step's batch, before the step, by the same mean
 * @param validationBpc bits per character of the validation part after the step, or NaN without an
 *     evaluation
 * @param bytesPerSecond this step's bytes over its own time, without evaluation
 * @param gradientNorm global L2 norm of the gradients before clipping; not finite if FLOAT16
 *     gradients overflowed and the step was skipped
 * @param learningRate rate of this step, also of a skipped one, or NaN if {@link
 *     SHARNNTrainer.Builder#optimizer} set another optimizer
 * @param lossScale factor of this step's loss: 1 in FLOAT32
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
    double lossScale) {

  /**
   * Returns whether the validation part was evaluated after this step.
   *
   * @return whether {@code validationBpc} is a number
   */
  public boolean evaluated() {
    return !Double.isNaN(validationBpc);
  }
}
