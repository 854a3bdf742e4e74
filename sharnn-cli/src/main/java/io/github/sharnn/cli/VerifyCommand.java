package io.github.sharnn.cli;

import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Device;
import io.github.sharnn.bench.GoldenCheck;
import io.github.sharnn.bench.GoldenReport;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.engine.Devices;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code sharnn.jar verify}: compares this installation with the reference's numbers. */
@Command(
    name = "verify",
    description = {
      "Check this installation against folders of golden vectors.",
      "Prints the worst relative error of each kind and its tensor; exits with 1 if an error"
          + " exceeds its tolerance. Computes in FLOAT32. On a GPU it turns TF32 off and allows ten"
          + " times the tolerance."
    })
public final class VerifyCommand implements Callable<Integer> {

  private static final String TF32 = "NVIDIA_TF32_OVERRIDE";

  @Spec private CommandSpec spec;

  @Mixin private DeviceOption option;

  @Parameters(
      paramLabel = "DIR",
      arity = "1..*",
      description = "Folders with config.json, model.safetensors and expected.safetensors.")
  private List<Path> folders;

  @Override
  public Integer call() throws Exception {
    Device device = option.device();
    if (device.isGpu() && !"0".equals(System.getenv(TF32))) {
      List<String> arguments = spec.root().commandLine().getParseResult().originalArgs();
      return withoutTf32(arguments).inheritIO().start().waitFor();
    }
    boolean passed = true;
    print("device %s, precision FLOAT32%n", Devices.describe(device));
    for (Path folder : folders) {
      GoldenReport report = GoldenCheck.run(folder, device);
      passed &= report.passed();
      print("%s: %d tensors%n", folder, report.compared());
      for (GoldenReport.Measure measure : report.worst()) {
        print(
            "  %-16s %.2e of %.0e  %s  %s%n",
            measure.kind(),
            measure.error(),
            measure.tolerance(),
            measure.passed() ? "ok  " : "FAIL",
            measure.tensor());
      }
    }
    System.out.println(passed ? "passed" : "FAILED");
    return passed ? 0 : Sharnn.FAILED;
  }

  /**
   * Prepares a second process of this program with TF32 off. CUDA's libraries read the variable
   * when they start, and Java can't set a variable of its own process.
   */
  public static ProcessBuilder withoutTf32(List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    // sharnn.jar's manifest has this option too, but only -jar reads a manifest
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Sharnn.class.getName()));
    command.addAll(arguments);
    ProcessBuilder process = new ProcessBuilder(command);
    process.environment().put(TF32, "0");
    return process;
  }
}
