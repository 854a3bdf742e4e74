package io.github.sharnn.cli.options;

import io.github.sharnn.train.optim.OptimizerSettings;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The options of {@code train} for the optimizer. */
public final class OptimizerOptions {

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      description = "The optimizer: lamb, adamw or muon.")
  private OptimizerSettings.Type type;

  @Option(
      names = "--weight-decay",
      paramLabel = "DECAY",
      description =
          "Weight decay. It follows the learning rate. Default: 1.2e-6 for lamb, 0.01 for adamw, 0.1"
              + " for muon, which both decay hidden matrices only.")
  private Optional<Float> weightDecay;

  @Option(
      names = "--cautious-decay",
      negatable = true,
      description = "Spare weights that the step moves away from 0. For adamw and muon.")
  private Boolean cautiousDecay;

  @Option(
      names = "--embedding-rate",
      paramLabel = "FACTOR",
      description =
          "The rate of embedding and output as a multiple of --learning-rate. For adamw and muon."
              + " Default: 1.")
  private Optional<Float> embeddingRate;

  @Option(
      names = "--rest-rate",
      paramLabel = "FACTOR",
      description =
          "The rate of norms, biases and gates as a multiple of --learning-rate. For adamw and muon."
              + " Default: 1.")
  private Optional<Float> restRate;

  @Option(
      names = "--iterations",
      paramLabel = "N",
      description = "Matrix iterations of muon in each step. Fewer are faster. Default: 5.")
  private Optional<Integer> iterations;

  /** Applies the given options to settings. Another optimizer starts from its own defaults. */
  public OptimizerSettings onto(OptimizerSettings base) {
    OptimizerSettings settings =
        type == null || type == base.type() ? base : OptimizerSettings.of(type);
    settings = weightDecay.map(settings::weightDecay).orElse(settings);
    settings = cautiousDecay == null ? settings : settings.cautiousDecay(cautiousDecay);
    settings = embeddingRate.map(settings::embeddingRate).orElse(settings);
    settings = restRate.map(settings::restRate).orElse(settings);
    return iterations.map(settings::iterations).orElse(settings);
  }
}
