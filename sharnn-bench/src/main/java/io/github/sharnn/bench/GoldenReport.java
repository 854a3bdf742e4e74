package io.github.sharnn.bench;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The outcome of a {@link GoldenCheck}, a {@link KernelCheck} or a {@link DecoderCheck}.
 *
 * @param worst the tensor of each kind whose error is the largest compared with its tolerance
 * @param compared number of tensors compared
 */
public record GoldenReport(List<Measure> worst, int compared) {

  /**
   * The relative error of a tensor.
   *
   * @param kind the kind of tensor, such as {@code output}
   * @param tensor the tensor's name in {@code expected.safetensors}
   * @param error {@code ||actual - expected|| / ||expected||}
   * @param tolerance the largest error allowed
   */
  public record Measure(String kind, String tensor, double error, double tolerance) {

    /** {@return the error as a share of the tolerance} */
    public double share() {
      return error / tolerance;
    }

    /** {@return true if the error is within the tolerance; false for NaN} */
    public boolean passed() {
      return error <= tolerance;
    }
  }

  /**
   * {@return true if at least one tensor was compared, and every tensor was within its tolerance}
   */
  public boolean passed() {
    return compared > 0 && worst.stream().allMatch(Measure::passed);
  }

  /** A builder that keeps the largest error of each kind while the check runs. */
  static final class Builder {

    private final Map<String, Measure> worst = new LinkedHashMap<>();
    private int compared;

    void add(Measure measure) {
      compared++;
      // Double.compare orders NaN above all numbers
      worst.merge(
          measure.kind(),
          measure,
          (old, next) -> Double.compare(next.share(), old.share()) > 0 ? next : old);
    }

    GoldenReport build() {
      return new GoldenReport(List.copyOf(worst.values()), compared);
    }
  }
}
