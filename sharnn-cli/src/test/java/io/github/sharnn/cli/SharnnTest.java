package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The behaviour that all commands share: help, bad input, the stack trace. */
class SharnnTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "train",
        "evaluate",
        "score",
        "generate",
        "compress",
        "decompress",
        "verify",
        "prepare-enwik8",
        "prepare-text8",
        "plot",
        "report",
        "benchmark",
        "export",
        "quantize"
      })
  void explains_every_command(String command) {
    Outcome outcome = run(command, "--help");
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out())
        .contains("Usage: sharnn " + command)
        .doesNotContainIgnoringCase("default: null")
        .doesNotContain("Default: []");
  }

  @Test
  void refuses_a_line_without_a_command() {
    Outcome outcome = run();
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err()).contains("name a command", "Usage: sharnn");
  }

  @Test
  void says_what_is_wrong_with_a_file_in_one_line(@TempDir Path folder) throws IOException {
    Path empty = Files.createFile(folder.resolve("empty"));
    Path garbage = Files.createDirectory(folder.resolve("garbage"));
    Files.writeString(garbage.resolve("SHA256SUMS"), "this is no model");

    Outcome missing =
        run("train", "--corpus", folder.resolve("nowhere"), "--output", folder.resolve("m"));
    assertThat(missing.err()).contains("nowhere").hasLineCount(1);
    assertThat(missing.code()).isEqualTo(1);
    Outcome nothing = run("train", "--corpus", empty, "--output", folder.resolve("m"));
    assertThat(nothing.err()).contains("is empty").hasLineCount(1);
    Outcome noFolder = run("generate", folder.resolve("nowhere"));
    assertThat(noFolder.err()).contains("nowhere").hasLineCount(1);
    assertThat(noFolder.code()).isEqualTo(1);
    Outcome noModel = run("generate", folder);
    assertThat(noModel.err()).contains("the folder holds no saved model").hasLineCount(1);
    Outcome foreign = run("generate", garbage);
    assertThat(foreign.err()).contains(garbage.toString()).hasLineCount(1);
    assertThat(foreign.code()).isEqualTo(1);
    Files.writeString(garbage.resolve("enwik8"), "this is no enwik8");
    Outcome notEnwik8 = run("prepare-enwik8", garbage);
    assertThat(notEnwik8.err()).contains("is not enwik8: expected 100000000 bytes").hasLineCount(1);
    assertThat(notEnwik8.code()).isEqualTo(1);
    assertThat(notEnwik8.out()).as("a bar is for a terminal").isEmpty();
    Outcome notGolden = run("verify", folder);
    assertThat(notGolden.err()).contains("no expected.safetensors").hasLineCount(1);
  }

  @Test
  void shows_the_stack_trace_only_when_asked(@TempDir Path folder) {
    assertThat(run("generate", folder, "--verbose").err()).contains("\tat ");
  }
}
