package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportCommandTest extends TrainedModelTest {

  @Test
  void reports_runs_side_by_side(@TempDir Path folder) throws IOException {
    Path other = folder.resolve("other");
    train("--steps", 3, "--layers", 1, "--report-text", "ijkl", "--output", other);
    assertThat(other.resolve("report.html")).content().contains("<h1>Run other</h1>", "ijkl");
    Path page = folder.resolve("page.html");
    Outcome outcome = run("report", model, other, "--output", page, "--text", "mnop");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("written to " + page);
    assertThat(page)
        .content()
        .contains("<h1>Runs model, other</h1>", "{\"name\":\"other\",\"train\":{")
        .contains("<tr class=\"differs\"><th>steps</th><td>60</td><td>3</td></tr>")
        .contains("<tr><th>embeddingSize</th><td>16</td><td>16</td></tr>")
        .contains("\"tokens\":[\"m\",\"n\",\"o\",\"p\"],\"layers\":[{\"layer\":0,")
        .contains("command</th><td>train --corpus " + corpus);
    assertThat(run("report", model, "--output", page).err()).contains("exists already", "--output");
    Outcome tooLong = run("report", model, "--output", folder + "/x", "--text", "x".repeat(81));
    assertThat(tooLong.err()).contains("--text must have 1 to 80 bytes").hasLineCount(1);
    assertThat(tooLong.code()).isEqualTo(2);
    Outcome none = run("report", folder, "--output", folder.resolve("x"));
    assertThat(none.err()).contains("metrics.jsonl").hasLineCount(1);
    assertThat(none.code()).isEqualTo(1);
  }
}
