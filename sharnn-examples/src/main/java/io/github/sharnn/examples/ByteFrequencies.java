package io.github.sharnn.examples;

/**
 * The shares that an arithmetic coder gives to a model's bytes: whole numbers, since both ends must
 * round alike. The same FLOAT32 logits give the same shares on every machine.
 */
final class ByteFrequencies {

  /**
   * What the shares add up to at most. A byte's least is 1, which costs the others next to nothing,
   * and makes bytes cheaper that the model holds for less probable: of an image, to a model of
   * English, 0.07% of all bits; with 2^24 it was 0.7%.
   */
  static final long TOTAL = 1L << 28;

  private ByteFrequencies() {}

  /** Returns V + 1 numbers: byte b has the share from number b to number b + 1. */
  static long[] cumulative(float[] logits) {
    double highest = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      highest = Math.max(highest, logit);
    }
    double[] weights = new double[logits.length];
    double sum = 0;
    for (int b = 0; b < logits.length; b++) {
      weights[b] = StrictMath.exp(logits[b] - highest); // Math.exp may differ between machines
      sum += weights[b];
    }
    long[] cumulative = new long[logits.length + 1];
    for (int b = 0; b < logits.length; b++) {
      long share = 1 + (long) (weights[b] / sum * (TOTAL - logits.length));
      cumulative[b + 1] = cumulative[b] + share;
    }
    return cumulative;
  }
}
