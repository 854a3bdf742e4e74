package io.github.sharnn.train;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;

/**
 * The options of a {@link SHARNNTrainer} that a checkpoint holds.
 *
 * @param batchSize streams trained on side by side
 * @param sequenceLength longest segment that gradients flow through
 * @param accumulation slices that a batch is run in
 * @param clipNorm largest global norm of the gradients
 * @param seed decides initial weights, segment lengths and dropout
 * @param evaluationInterval steps between evaluations, or 0 for after each pass alone
 * @param evaluationStreams streams of the validation part
 * @param labelSmoothing share of the training target that is spread over all tokens
 * @param lookaheadSteps updates between two moves of Lookahead's slow weights, or 0 for none
 * @param lookaheadAlpha how far they move
 * @param averageDecay of the moving average of the weights, or 0 for none
 * @param zeroStateProbability of a step that begins from the zero state
 * @param precision what forward and backward computed in
 */
public record TrainingOptions(
    int batchSize,
    int sequenceLength,
    int accumulation,
    double clipNorm,
    int seed,
    int evaluationInterval,
    int evaluationStreams,
    float labelSmoothing,
    int lookaheadSteps,
    float lookaheadAlpha,
    double averageDecay,
    double zeroStateProbability,
    DataType precision) {

  /**
   * Reads the options of a trainer that is being built.
   *
   * @param builder the trainer's builder
   * @return its options
   */
  public static TrainingOptions of(SHARNNTrainer.Builder builder) {
    return new TrainingOptions(
        builder.batchSize,
        builder.sequenceLength,
        builder.accumulation,
        builder.clipNorm,
        builder.seed,
        builder.evaluationInterval,
        builder.evaluationStreams(),
        builder.labelSmoothing,
        builder.lookaheadSteps,
        builder.lookaheadAlpha,
        builder.averageDecay,
        builder.zeroStateProbability,
        builder.precision());
  }

  /**
   * Starts a trainer with these options but for the precision, which is the model's device's
   * default.
   *
   * @param model a DJL model with a {@link io.github.sharnn.SHARNN}
   * @return a new builder
   * @throws IllegalArgumentException if the model holds another block
   */
  public SHARNNTrainer.Builder trainer(Model model) {
    SHARNNTrainer.Builder builder =
        SHARNNTrainer.builder(model)
            .batchSize(batchSize)
            .sequenceLength(sequenceLength)
            .accumulation(accumulation)
            .clipNorm(clipNorm)
            .seed(seed)
            .evaluationInterval(evaluationInterval)
            .evaluationStreams(evaluationStreams)
            .labelSmoothing(labelSmoothing)
            .averageDecay(averageDecay)
            .zeroStateProbability(zeroStateProbability);
    return lookaheadSteps == 0 ? builder : builder.lookahead(lookaheadSteps, lookaheadAlpha);
  }
}
