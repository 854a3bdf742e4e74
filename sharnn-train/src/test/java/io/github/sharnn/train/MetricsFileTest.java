package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Device;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsFileTest {

  @TempDir private Path folder;

  private static StepReport report(long step, double validationBpc, double norm) {
    return new StepReport(
        step, step * 64, step / 4.0, step / 2.0, 3.5, validationBpc, 1e6, norm, 2e-3f, 65_536);
  }

  @Test
  void has_a_line_for_each_step_as_soon_as_it_is_made() throws Exception {
    Path file = folder.resolve("metrics.jsonl");
    try (MetricsFile metrics = new MetricsFile(file)) {
      assertThat(file).doesNotExist();
      metrics.accept(report(1, Double.NaN, 0.5));
      String first =
          "{\"stage\":1,\"step\":1,\"bytes\":64,\"used\":0.25,\"seconds\":0.5,\"trainBpc\":3.5,"
              + "\"bytesPerSecond\":1000000.0,\"gradientNorm\":0.5,\"learningRate\":0.002,"
              + "\"lossScale\":65536.0}";
      assertThat(Files.readAllLines(file)).containsExactly(first);
      metrics.accept(report(2, 3.25, Double.POSITIVE_INFINITY));
      metrics.accept(report(1, Double.NaN, 0.5));
      assertThat(Files.readAllLines(file))
          .containsExactly(
              first,
              "{\"stage\":1,\"step\":2,\"bytes\":128,\"used\":0.5,\"seconds\":1.0,\"trainBpc\":3.5,"
                  + "\"validationBpc\":3.25,\"bytesPerSecond\":1000000.0,\"learningRate\":0.002,"
                  + "\"lossScale\":65536.0}",
              first.replace("\"stage\":1", "\"stage\":2"));
    }
  }

  @Test
  void has_the_memory_at_each_evaluation_and_lines_of_other_kinds() throws Exception {
    assumeThat(Path.of("/proc/self/status")).exists();
    Path file = folder.resolve("metrics.jsonl");
    try (MetricsFile metrics = new MetricsFile(file, Device.cpu())) {
      metrics.add("sample", Map.of("text", "a\n\"b\" \u2028"));
      metrics.accept(report(1, Double.NaN, 0.5));
      metrics.accept(report(2, 3.25, 0.5));
    }
    List<String> lines = Files.readAllLines(file);
    assertThat(lines.get(0)).isEqualTo("{\"sample\":{\"text\":\"a\\n\\\"b\\\" \\u2028\"}}");
    assertThat(lines.get(1)).doesNotContain("memory");
    JsonObject memory =
        JsonParser.parseString(lines.get(2)).getAsJsonObject().getAsJsonObject("memory");
    assertThat(memory.get("bytes").getAsLong())
        .isGreaterThan(Runtime.getRuntime().totalMemory() / 10);
    assertThat(memory.get("source").getAsString()).contains("resident");
  }

  @Test
  void leaves_an_existing_file_alone() throws Exception {
    Path file = Files.writeString(folder.resolve("metrics.jsonl"), "precious");
    try (MetricsFile metrics = new MetricsFile(file)) {
      assertThatThrownBy(() -> metrics.accept(report(1, 3, 1)))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining("can't write " + file)
          .hasMessageContaining("FileAlreadyExists");
    }
    assertThat(file).hasContent("precious");
  }
}
