package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyCommandTest {

  private static final String GOLDEN = "../sharnn-core/src/test/resources/golden/";

  @Test
  void verifies_golden_vectors_of_every_kind() {
    Outcome outcome =
        run(
            "verify",
            GOLDEN + "single-head",
            GOLDEN + "every-layer",
            GOLDEN + "no-attention",
            GOLDEN + "split-softmax",
            GOLDEN + "sampling");
    assertThat(outcome.out())
        .contains("output", "loss", "state", "gradient", "clipped norm", "parameter")
        .contains("collapsed scale", "sampling", "passed")
        .doesNotContain("FAIL");
    assertThat(outcome.code()).isZero();
  }

  @Test
  void fails_on_numbers_that_differ_and_names_the_tensor(@TempDir Path folder) throws IOException {
    for (String file : List.of("config.json", "model.safetensors", "expected.safetensors")) {
      Files.copy(Path.of(GOLDEN, "no-attention", file), folder.resolve(file));
    }
    String config = Files.readString(folder.resolve("config.json"));
    Files.writeString(
        folder.resolve("config.json"), config.replace("\"beta1\": 0.9", "\"beta1\": 0.8"));
    Outcome outcome = run("verify", folder);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.out()).containsPattern("parameter .*FAIL +train\\.\\d\\.param\\.");
  }

  @Test
  void kernels_that_cannot_run_are_an_error_with_the_reason() {
    Outcome outcome = run("verify", "--kernels", "--device", "cpu", "--embedding-size", "128");
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains("--kernels checks kernels of a GPU, but the device is cpu");
  }

  @Test
  void asks_for_one_subject() {
    assertThat(run("verify").code()).isEqualTo(2);
    assertThat(run("verify", "--kernels", GOLDEN + "sampling").code()).isEqualTo(2);
    assertThat(run("verify", "--batch-size", "2").code()).isEqualTo(2);
  }
}
