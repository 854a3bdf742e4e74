package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.TrainingOptions;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The options of {@code train} that are off in most recipes. */
public final class ExtraOptions {

  @Option(
      names = "--weight-drop",
      paramLabel = "RATE",
      description = "Drop entries of the LSTMs' hidden-to-hidden matrices.")
  private Optional<Float> weightDrop;

  @Option(
      names = "--label-smoothing",
      paramLabel = "SHARE",
      description =
          "Spread this share of the training target over all tokens. Can't be combined with --splits."
              + " The printed figures are not smoothed.")
  private Optional<Float> labelSmoothing;

  @Option(
      names = "--zero-state",
      paramLabel = "PROBABILITY",
      description =
          "Probability that a step begins with an empty memory, which prepares the model for short"
              + " texts. Default: 0.01; 0 in the"
              + " paper's recipes.")
  private Optional<Double> zeroState;

  @Option(
      names = "--average-decay",
      paramLabel = "DECAY",
      description =
          "Evaluate and save a moving average of the weights; 0.999 averages about the last 1000"
              + " steps, 0 turns it off. Default: 0.998 in fast and fast-subwords.")
  private Optional<Double> averageDecay;

  @Option(
      names = "--lookahead",
      paramLabel = "K,ALPHA",
      split = ",",
      arity = "1",
      hideParamSyntax = true,
      description = "Wrap the optimizer in Lookahead: steps and alpha, such as 5,0.5.")
  private List<Float> lookahead;

  public SHARNNConfig.Builder onto(SHARNNConfig.Builder builder) {
    weightDrop.ifPresent(builder::weightDrop);
    return builder;
  }

  /** Sets the given options of a trainer. */
  public void apply(TrainingOptions.Builder<?> builder) {
    labelSmoothing.ifPresent(builder::labelSmoothing);
    zeroState.ifPresent(builder::zeroStateProbability);
    averageDecay.ifPresent(builder::averageDecay);
    if (lookahead != null) {
      checkArgument(
          lookahead.size() == 2 && lookahead.get(0) == lookahead.get(0).intValue(),
          "--lookahead takes a whole number of steps and alpha, such as 5,0.5, but was given %s",
          lookahead);
      builder.lookahead(lookahead.get(0).intValue(), lookahead.get(1));
    }
  }
}
