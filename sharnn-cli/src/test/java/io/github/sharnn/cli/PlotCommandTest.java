package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlotCommandTest extends TrainedModelTest {

  @Test
  void plots_the_metrics_of_runs(@TempDir Path folder) throws IOException {
    List<Path> runs = new ArrayList<>();
    for (String name : List.of("one", "two")) {
      Path run = Files.createDirectory(folder.resolve(name));
      runs.add(run.resolve("metrics.jsonl"));
      train(
          "--steps", 12, "--output", run.resolve("model"), "--metrics", runs.get(runs.size() - 1));
    }
    Path svg = folder.resolve("curves.svg");
    Outcome outcome = run("plot", runs.get(0), runs.get(1), "--output", svg);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("drawn in " + svg);
    assertThat(svg).content().contains("<svg", "</svg").containsPattern("(?s)(<circle.*){4}");
    assertThat(run("plot", runs.get(0), "--output", svg).err()).contains("exists already");
    Outcome corrupt = run("plot", corpus, "--output", folder.resolve("other.svg"));
    assertThat(corrupt.err()).contains("must hold lines as train --metrics writes them");
    assertThat(corrupt.code()).isEqualTo(2);
    assertThat(folder.resolve("other.svg")).doesNotExist();
  }
}
