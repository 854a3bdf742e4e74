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

  @Test
  void names_the_missing_folder_and_shows_the_start_of_a_wrong_file(@TempDir Path folder)
      throws IOException {
    Path svg = folder.resolve("none").resolve("curves.svg");
    assertThat(run("plot", corpus, "--output", svg).err())
        .startsWith("error: no such file or folder: " + svg.getParent())
        .contains("; --output needs its folder: create it, or name another file");
    Path other = Files.writeString(folder.resolve("other"), "\033[31m" + "x".repeat(5_000));
    Outcome outcome = run("plot", other, "--output", folder.resolve("curves.svg"));
    assertThat(outcome.err())
        .endsWith("but has: \uFFFD[31m" + "x".repeat(55) + "..." + System.lineSeparator());
  }
}
