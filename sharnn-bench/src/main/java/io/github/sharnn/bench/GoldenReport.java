package io.github.sharnn.bench;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The outcome of a {@link GoldenCheck}, with the largest error of each kind of tensor. */
public record GoldenReport(Path folder, List<Measure> worst, int compared) {

  /** The relative error of a tensor, {@code ||actual - expected|| / ||expected||}. */
  public record Measure(String kind, String tensor, double error, double tolerance) {

    /** Tells if the error is within the tolerance. A NaN is not. */
    public boolean passed() {
      return error <= tolerance;
    }
  }

  /** Tells if there was at least one comparison and every tensor was within its tolerance. */
  public boolean passed() {
    return compared > 0 && worst.stream().allMatch(Measure::passed);
  }

  /** A builder that keeps the largest error of each kind while the check runs. */
  static final class Builder {

    private final Path folder;
    private final Map<String, Measure> worst = new LinkedHashMap<>();
    private int compared;

    Builder(Path folder) {
      this.folder = folder;
    }

    void add(Measure measure) {
      compared++;
      // Double.compare orders NaN above all numbers
      worst.merge(
          measure.kind(),
          measure,
          (old, next) -> Double.compare(next.error(), old.error()) > 0 ? next : old);
    }

    GoldenReport build() {
      return new GoldenReport(folder, List.copyOf(worst.values()), compared);
    }
  }
}
