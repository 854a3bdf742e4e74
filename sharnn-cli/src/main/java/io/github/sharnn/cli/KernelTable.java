package io.github.sharnn.cli;

import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Device;
import io.github.sharnn.bench.GoldenReport;
import io.github.sharnn.engine.Devices;
import org.jspecify.annotations.Nullable;

/** The table of {@code verify --kernels}: each shape's largest error, and a line about all. */
final class KernelTable {

  private final long begin = System.nanoTime();
  private int shapes;
  private int failed;
  private long tensors;
  private GoldenReport.@Nullable Measure worst;
  private String worstShape = "";

  KernelTable(Device device) {
    print("device %s%n", Devices.describe(device));
    print("%-30s %8s %9s %9s%n", "shape", "tensors", "error", "allowed");
  }

  void add(String shape, GoldenReport report) {
    GoldenReport.Measure largest =
        report.worst().stream()
            .max((a, b) -> Double.compare(a.share(), b.share())) // NaN is above all numbers
            .orElseThrow();
    shapes++;
    tensors += report.compared();
    failed += report.passed() ? 0 : 1;
    if (worst == null || Double.compare(largest.share(), worst.share()) > 0) {
      worst = largest;
      worstShape = shape;
    }
    print(
        "%-30s %8d %9.1e %9.1e %s %s %s%n",
        shape,
        report.compared(),
        largest.error(),
        largest.tolerance(),
        report.passed() ? "ok  " : "FAIL",
        largest.kind(),
        largest.tensor());
  }

  /** Prints the last line. Returns true if all shapes passed. */
  boolean end() {
    print(
        "%d shapes, %,d tensors, %.0f s: %d failed; the largest error is %.2f of what is allowed,"
            + " for %s, %s %s%n",
        shapes,
        tensors,
        (System.nanoTime() - begin) / 1e9,
        failed,
        worst == null ? Double.NaN : worst.share(),
        worstShape,
        worst == null ? "" : worst.kind(),
        worst == null ? "" : worst.tensor());
    return shapes > 0 && failed == 0;
  }
}
