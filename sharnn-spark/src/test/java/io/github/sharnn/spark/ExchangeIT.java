package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The time that two processes need for an outer step of the paper's model. */
@Tag("slow")
class ExchangeIT {

  private static final Pattern SECONDS = Pattern.compile("takes (\\d+\\.\\d+) s");

  @TempDir private Path folder;

  @Test
  void an_outer_step_of_54_million_weights_takes_at_most_2_seconds() throws Exception {
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      List<String> command =
          List.of(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-Xmx1g",
              "-Dai.djl.pytorch.num_threads=1",
              "-cp",
              System.getProperty("java.class.path"),
              ExchangeJob.class.getName(),
              folder.toString(),
              Integer.toString(i),
              "2",
              "cpu");
      processes.add(new ProcessBuilder(command).inheritIO().start());
    }
    for (Process process : processes) {
      assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isZero();
    }
    for (int i = 0; i < 2; i++) {
      Matcher seconds = SECONDS.matcher(Files.readString(folder.resolve("result" + i)));
      assertThat(seconds.find()).isTrue();
      assertThat(Double.parseDouble(seconds.group(1))).isLessThan(2);
    }
  }
}
