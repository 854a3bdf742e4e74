package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import ai.djl.Model;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The speed of two executors with one core against that of one, measured twice in turn. All threads
 * of an executor share its one core, by {@code taskset}: PyTorch's, Java's and Spark's. No executor
 * waits for the lines that another one keeps. It needs a quiet Linux machine with two cores, and
 * takes minutes.
 */
@Tag("slow")
class SpeedIT {

  private static final int LINES = Integer.getInteger("sharnn.lines", 200_000);

  @TempDir private Path folder;

  @Test
  void two_executors_are_1_8_times_as_fast_as_one() throws Exception {
    try (Model model = Lines.model(96)) {
      model.save(folder.resolve("model"), "log");
    }
    Files.write(folder.resolve("lines.txt"), Lines.of(LINES));
    List<Double> speedUps = new ArrayList<>();
    try (LocalCluster cluster = new LocalCluster(folder, 2, true)) {
      for (int run = 0; run < 2; run++) {
        double one = seconds(cluster, 1, run);
        double two = seconds(cluster, 2, run);
        System.out.printf(
            Locale.ROOT,
            "%,d lines: %.0f lines/s with one executor, %.0f with two, %.2f times%n",
            LINES,
            LINES / one,
            LINES / two,
            one / two);
        speedUps.add(one / two);
      }
    }
    List<Double> printed = Lines.printed(folder);
    double[] scores = Lines.bitsPerByte(folder.resolve("two1"), LINES);
    assertThat(printed).hasSize(LINES);
    for (int i = 0; i < LINES; i++) {
      assertThat(scores[i]).isCloseTo(printed.get(i), offset(Lines.ROUNDING + 1e-5));
    }
    assertThat(speedUps).allMatch(times -> times >= 1.8);
  }

  private double seconds(LocalCluster cluster, int executors, int run) throws Exception {
    String name = (executors == 1 ? "one" : "two") + run;
    cluster.submit(
        name,
        SpeedJob.class,
        30,
        List.of("--conf", "spark.cores.max=" + executors, "--conf", "spark.locality.wait=0s"),
        List.of(folder.toString(), name));
    return Double.parseDouble(Files.readString(folder.resolve(name + ".seconds")));
  }
}
