package io.github.sharnn.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import io.github.sharnn.SHARNN;
import io.github.sharnn.TestModels;
import io.github.sharnn.engine.Devices.Found;
import io.github.sharnn.engine.Devices.Source;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DevicesTest {

  private static final Engine ENGINE = Engine.getEngine("PyTorch");

  @Test
  void knows_the_cpu_and_the_default() {
    assertThat(Devices.of("cpu")).isEqualTo(Device.cpu());
    assertThat(Devices.of("auto")).isEqualTo(ENGINE.defaultDevice());
    assertThat(Devices.require(null)).isEqualTo(ENGINE.defaultDevice());
    assertThat(Devices.require(Device.cpu())).isEqualTo(Device.cpu());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "GPU", "cuda", "gpu-1", "gpu 1", "gpu99999", "cpu0"})
  void rejects_other_names(String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Devices.of(name))
        .withMessage("device must be auto, cpu, gpu, gpu0, gpu1 and so on, but is " + name);
  }

  @Test
  void says_why_a_gpu_is_not_there_whoever_asks(@TempDir Path folder) {
    assumeThat(ENGINE.hasCapability("CUDA")).isFalse();
    SHARNN block = TestModels.tiny().build();
    assertRefused("gpu0", () -> Devices.of("gpu"));
    assertRefused("gpu1", () -> Devices.of("gpu1"));
    assertRefused("gpu0", () -> Devices.require(Device.fromName("gpu")));
    assertRefused("gpu0", () -> block.newModel("model", Device.gpu()));
    assertRefused("gpu1", () -> SHARNN.load(folder, Device.gpu(1)));
  }

  private static void assertRefused(String name, ThrowingCallable call) {
    assertThatIllegalArgumentException()
        .isThrownBy(call)
        .withMessageStartingWith(name + " was asked for, but is not there")
        .withMessageContaining("PyTorch " + ENGINE.getVersion() + ", the CPU build, from ")
        .withMessageContaining("-cpu-")
        .withMessageContaining("counts 0 GPUs")
        .withMessageContaining("pytorch-native-cpu on the class path forces the CPU build")
        .withMessageContaining("-Pgpu")
        .withCauseInstanceOf(EngineException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "PYTORCH_LIBRARY_PATH, false, false, 0, set it to a folder with PyTorch 2.7.1 for CUDA",
    "DOWNLOAD, false, false, 0, set PYTORCH_FLAVOR=cu128",
    "DOWNLOAD, true, false, 0, nvidia-smi must list it",
    "DOWNLOAD, true, true, 1, PyTorch says: invalid device ordinal. Ask for a GPU that nvidia-smi lists"
  })
  void names_the_way_out_of_each_cause(
      Source source, boolean cudaBuild, boolean cudaWorks, int gpus, String wayOut) {
    Found found = new Found("2.7.1", "/folder", source, cudaBuild, cudaWorks, gpus);
    assertThat(
            found.explain(
                Device.gpu(1), new EngineException("invalid device ordinal\nstack trace")))
        .startsWith("gpu1 was asked for")
        .contains(cudaBuild ? "a CUDA build" : "the CPU build")
        .contains("from /folder and counts " + gpus + " GPUs")
        .contains(wayOut)
        .doesNotContain("stack trace");
  }

  @Test
  void describes_the_cpu() {
    assertThat(Devices.describe(Device.cpu())).isEqualTo("cpu");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void takes_the_one_name_of_all_gpus_and_no_other() {
    assertThat(Devices.onlyLine("printf", "NVIDIA H100\nNVIDIA H100\n")).contains("NVIDIA H100");
    assertThat(Devices.onlyLine("printf", "NVIDIA H100\nNVIDIA A10\n")).isEmpty();
    assertThat(Devices.onlyLine("sh", "-c", "echo No devices were found; exit 6")).isEmpty();
    assertThat(Devices.onlyLine("no-such-program-on-any-machine")).isEmpty();
  }

  @Test
  void rejects_null() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Devices.of(null))
        .withMessage("device must not be null: use auto for DJL's default");
  }

  /** A program without PyTorch. */
  static final class WithoutPyTorch {

    private WithoutPyTorch() {}

    public static void main(String[] args) {
      try {
        SHARNN.builder().build().newModel("model");
      } catch (EngineException e) {
        System.out.println("EngineException: " + e.getMessage());
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          pytorch-native-cpu | Offline mode is enabled.): put pytorch-native-cpu for this system and
          pytorch-engine     | DJL finds no engine PyTorch: put ai.djl.pytorch:pytorch-engine on the
          """)
  void says_what_to_do_where_a_part_of_pytorch_is_missing(
      String missing, String message, @TempDir Path cache) throws Exception {
    String separator = File.pathSeparator;
    String classPath =
        Arrays.stream(System.getProperty("java.class.path").split(Pattern.quote(separator)))
            .filter(jar -> !Path.of(jar).getFileName().toString().startsWith(missing))
            .collect(Collectors.joining(separator));
    ProcessBuilder java =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-DDJL_CACHE_DIR=" + cache,
            "-DENGINE_CACHE_DIR=" + cache,
            "-cp",
            classPath,
            WithoutPyTorch.class.getName());
    java.environment().put("DJL_OFFLINE", "true");
    java.environment().keySet().removeIf(name -> name.startsWith("PYTORCH_"));
    Process process = java.redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isZero();
    assertThat(out).startsWith("EngineException: ").contains(message);
  }
}
