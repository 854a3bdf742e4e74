package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.train.optim.LearningRateSchedule;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The options of the learning rate of {@code train}. */
public final class RateOptions {

  @Option(names = "--learning-rate", paramLabel = "RATE", description = "Peak learning rate.")
  private Optional<Float> learningRate;

  @Option(
      names = "--warm-up",
      paramLabel = "STEPS",
      description = "Steps of linear rise to the highest rate.")
  private Optional<Integer> warmUp;

  @Option(
      names = "--cosine",
      negatable = true,
      description = "Fall along half a cosine, to the end of the budget.")
  private Boolean cosine;

  @Option(
      names = "--linear",
      negatable = true,
      description = "Fall along a straight line, to the end of the budget.")
  private Boolean linear;

  @Option(
      names = "--final-rate",
      paramLabel = "RATE",
      description = "The rate at the end of --cosine or --linear. Default: 0.")
  private Optional<Float> finalRate;

  @Option(
      names = "--hold",
      paramLabel = "SHARE",
      description =
          "Begin the fall of --cosine or --linear after this share of the budget, such as 0.8."
              + " Default: after the warm-up.")
  private Optional<Float> hold;

  @Option(
      names = "--cooldown",
      paramLabel = "STEP",
      description = "Fall linearly to 0 from this step to twice this step; 0 for no cooldown.")
  private Optional<Integer> cooldown;

  @Option(
      names = "--decay-after",
      paramLabel = "STEP,STEP,...",
      split = ",",
      hideParamSyntax = true,
      description = "Divide by 10 after each of these steps.")
  private List<Integer> decayAfter;

  @Option(
      names = "--plateau",
      paramLabel = "FACTOR,N",
      split = ",",
      arity = "1",
      hideParamSyntax = true,
      description =
          "Multiply by FACTOR after N evaluations in a row without a new best; see"
              + " --evaluation-interval.")
  private List<Float> plateau;

  /** Applies the given options to a schedule. A run with its own tracker has no schedule. */
  public LearningRateSchedule onto(Optional<LearningRateSchedule> base) {
    checkArgument(
        base.isPresent() || learningRate.isPresent(),
        "--learning-rate must be given: the run to resume had a tracker of its program's own, which no"
            + " checkpoint holds");
    LearningRateSchedule rate = base.orElseGet(() -> LearningRateSchedule.peak(learningRate.get()));
    rate = learningRate.map(rate::withPeak).orElse(rate);
    rate = warmUp.map(rate::warmUp).orElse(rate);
    rate = cooldown.map(rate::cooldown).orElse(rate);
    checkArgument(
        cosine == null || linear == null, "--cosine and --linear exclude each other: give one");
    if (cosine != null) {
      rate = rate.cosine(cosine ? finalRate.orElse(0f) : rate.peak());
    } else if (linear != null) {
      rate = rate.linear(linear ? finalRate.orElse(0f) : rate.peak());
    } else if (finalRate.isPresent()) {
      checkFalls(rate, "--final-rate");
      float end = finalRate.get();
      rate = rate.fall() == LearningRateSchedule.Fall.LINEAR ? rate.linear(end) : rate.cosine(end);
    }
    if (hold.isPresent()) {
      checkFalls(rate, "--hold");
      rate = rate.hold(hold.get());
    }
    if (decayAfter != null) {
      rate = rate.decayAfter(decayAfter.toArray(Integer[]::new));
    }
    if (plateau != null) {
      checkArgument(
          plateau.size() == 2 && plateau.get(1) == plateau.get(1).intValue(),
          "--plateau takes a factor and a whole number of evaluations, such as 0.5,3, but was"
              + " given %s",
          plateau);
      rate = rate.plateau(plateau.get(0), plateau.get(1).intValue());
    }
    return rate;
  }

  private static void checkFalls(LearningRateSchedule rate, String option) {
    checkArgument(
        rate.finalRate() < rate.peak(), "%s needs --cosine or --linear: give one of them", option);
  }
}
