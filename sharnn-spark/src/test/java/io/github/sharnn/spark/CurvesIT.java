package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * The figures of one, two and four workers after equal numbers of steps, or with {@code
 * sharnn.seconds} those of one and two workers after equal times. It needs a text of 20 MB and
 * takes many minutes.
 */
@Tag("slow")
@EnabledIfSystemProperty(named = "sharnn.corpus", matches = ".+")
class CurvesIT {

  private static final int STEPS = Integer.getInteger("sharnn.steps", 960);
  private static final int SEED = Integer.getInteger("sharnn.seed", 42);
  private static final int SECONDS = Integer.getInteger("sharnn.seconds", 0);

  @TempDir private Path folder;

  @Test
  void more_workers_give_a_better_figure() throws Exception {
    try (LocalCluster cluster = new LocalCluster(folder, 4, true)) {
      cluster.submit(
          "job",
          CurvesJob.class,
          90,
          List.of(),
          List.of(
              folder.toString(),
              System.getProperty("sharnn.corpus"),
              Integer.toString(STEPS),
              Integer.toString(SECONDS),
              Integer.toString(SEED)));
    }
    List<String> lines = Files.readAllLines(folder.resolve("curves"));
    lines.forEach(System.out::println);
    Map<String, Double> last =
        lines.stream()
            .map(line -> line.split("\t"))
            .filter(fields -> fields.length == 4)
            .collect(
                Collectors.toMap(
                    fields -> fields[0],
                    fields -> Double.parseDouble(fields[3]),
                    (earlier, later) -> later));
    double two = last.get("2 workers, batch 16");
    assertThat(two).isLessThan(last.get("1 worker, batch 16") - 0.03);
    if (SECONDS > 0) {
      return;
    }
    assertThat(two).isLessThan(last.get("1 worker, batch 32") + 0.03);
    assertThat(last.get("4 workers, batch 16")).isLessThan(two);
  }
}
