package io.github.sharnn.cli.options;

import static com.google.common.base.Strings.lenientFormat;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import io.github.sharnn.cli.Outcome;
import io.github.sharnn.cli.Sharnn;
import io.github.sharnn.cli.VerifyCommand;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** {@code --device} of every command, and what a user sees of the libraries below. */
class DeviceOptionTest {

  private static final String SAMPLING = "../sharnn-core/src/test/resources/golden/sampling";

  @ParameterizedTest
  @ValueSource(strings = {"train --output %s/model", "evaluate %s", "generate %s", "verify %s"})
  void every_command_refuses_a_gpu_that_is_not_there(String command, @TempDir Path folder) {
    assumeThat(Engine.getEngine("PyTorch").hasCapability("CUDA")).isFalse();
    String line = lenientFormat(command, folder) + " --device gpu1";
    Outcome outcome = Outcome.capture(() -> Sharnn.run(line.split(" ")));
    assertThat(outcome.err())
        .startsWith("error: gpu1 was asked for, but is not there")
        .contains("PyTorch 2.7.1, the CPU build", "counts 0 GPUs", "-Pgpu")
        .hasLineCount(1);
    assertThat(outcome.code()).isEqualTo(Sharnn.BAD_USAGE);
    assertThat(outcome.out()).doesNotContain("step");
  }

  @Test
  void a_run_that_goes_on_has_its_own_device_unless_one_is_named() throws Exception {
    assertThat(option().device("cpu")).isEqualTo(Device.cpu());
    assertThatThrownBy(() -> option().device("gpu77")).hasMessageContaining("gpu77");
    assertThat(option("--device", "cpu").device("gpu77")).isEqualTo(Device.cpu());
  }

  private static DeviceOption option(String... arguments) {
    DeviceOption option = new DeviceOption();
    new CommandLine(CommandSpec.create().addMixin("device", CommandSpec.forAnnotatedObject(option)))
        .parseArgs(arguments);
    return option;
  }

  @Test
  void refuses_a_name_it_does_not_know() {
    Outcome outcome = Outcome.run("verify", SAMPLING, "--device", "cuda");
    assertThat(outcome.err())
        .isEqualTo("error: --device must be auto, cpu, gpu, gpu0, gpu1 and so on, but is cuda\n");
    assertThat(outcome.code()).isEqualTo(Sharnn.BAD_USAGE);
  }

  /** The very program that verify starts on a GPU, with the CPU in its place. */
  private static Outcome verifyInAProcessOfItsOwn(Path folder, String... more) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("verify", SAMPLING, "--device", "cpu"));
    arguments.addAll(List.of(more));
    ProcessBuilder builder = VerifyCommand.withoutTf32(arguments);
    assertThat(builder.environment()).containsEntry("NVIDIA_TF32_OVERRIDE", "0");
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    int code = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start().waitFor();
    return new Outcome(
        code,
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  @Test
  void verify_starts_itself_without_tf32_and_without_noise(@TempDir Path folder) throws Exception {
    Outcome outcome = verifyInAProcessOfItsOwn(folder);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).startsWith("device cpu, precision FLOAT32\n").endsWith("passed\n");
    assertThat(outcome.code()).isZero();
  }

  @Test
  void verbose_shows_what_the_libraries_log(@TempDir Path folder) throws Exception {
    Outcome outcome = verifyInAProcessOfItsOwn(folder, "--verbose");
    assertThat(outcome.err()).contains("ai.djl.pytorch.jni.LibUtils - Loading native library");
    assertThat(outcome.code()).isZero();
  }

  @Test
  void knows_a_cache_that_holds_pytorch(@TempDir Path cache) throws Exception {
    assertThat(DeviceOption.holdsPyTorch(cache.resolve("nowhere"), "2.7.1")).isFalse();
    Path build = Files.createDirectories(cache.resolve("2.7.1-cu128-linux-x86_64"));
    assertThat(DeviceOption.holdsPyTorch(cache, "2.7.1")).isFalse();
    Files.createFile(build.resolve(System.mapLibraryName("torch")));
    assertThat(DeviceOption.holdsPyTorch(cache, "2.7.1")).isTrue();
    assertThat(DeviceOption.holdsPyTorch(cache, "2.8.0")).isFalse();
  }
}
