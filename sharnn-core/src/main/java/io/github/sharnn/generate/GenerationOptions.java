package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.types.DataType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The checked options of a {@link SHARNNGenerator}.
 *
 * @param seed null for a new seed for each text
 * @param precision null for the weights' own type
 */
record GenerationOptions(
    int length,
    Sampler sampler,
    @Nullable Long seed,
    List<String> stops,
    int repetitionWindow,
    @Nullable DataType precision) {

  GenerationOptions {
    checkArgument(length >= 1, "length must be at least 1 token, but is %s", length);
    checkArgument(
        !stops.contains(""), "stop must not be empty: leave it out to generate length tokens");
    checkArgument(
        repetitionWindow >= 0,
        "repetitionWindow must be at least 0 tokens, but is %s: set repetitionPenalty to 1 for no"
            + " penalty",
        repetitionWindow);
  }

  GenerationOptions withSeed(long other) {
    return new GenerationOptions(length, sampler, other, stops, repetitionWindow, precision);
  }

  /** Returns the number of recent tokens to keep, 0 without a repetition penalty. */
  int penalizedTokens() {
    return sampler.repetitionPenalty() == 1 ? 0 : repetitionWindow;
  }
}
