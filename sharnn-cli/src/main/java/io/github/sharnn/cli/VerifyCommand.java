package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkState;
import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Device;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.bench.DecoderCheck;
import io.github.sharnn.bench.GoldenCheck;
import io.github.sharnn.bench.GoldenReport;
import io.github.sharnn.bench.KernelCheck;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.engine.Devices;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code sharnn.jar verify}: compares this installation with the reference's numbers. */
@Command(
    name = "verify",
    description = {
      "Check this installation against folders of golden vectors, or this library's CUDA kernels"
          + " against PyTorch's.",
      "Prints the worst relative error of each kind and its tensor; exits with 1 if an error"
          + " exceeds its tolerance. Golden vectors are compared in FLOAT32; on a GPU, without TF32"
          + " and with ten times the tolerance. Kernels compute in FLOAT16: their difference from"
          + " FLOAT32 may be 2e-3, or 1.5 times that of PyTorch's FLOAT16. A decoder's kernel is"
          + " compared with FLOAT64; in FLOAT32 it may differ by 1e-5."
    })
public final class VerifyCommand implements Callable<Integer> {

  private static final String TF32 = "NVIDIA_TF32_OVERRIDE";
  private static final int LARGE_VOCABULARY = 20_000;
  private static final int TEXTS = 9; // of a decoder, besides 1

  @Spec private CommandSpec spec;

  @Mixin private DeviceOption option;

  @ArgGroup(exclusive = true, multiplicity = "1")
  private Subject subject;

  /** The two things that can be checked. */
  static final class Subject {

    @Parameters(
        paramLabel = "DIR",
        arity = "1..*",
        description = "Folders with config.json, model.safetensors and expected.safetensors.")
    private List<Path> folders = List.of();

    @ArgGroup(exclusive = false)
    private KernelShapes kernels;
  }

  /** The shapes to check kernels with: every combination. Picocli can't show a group's defaults. */
  static final class KernelShapes {

    @Option(names = "--kernels", required = true, description = "Check the CUDA kernels.")
    private boolean kernels;

    @Option(names = "--all", description = "Every shape of the lists below: two minutes.")
    private boolean all;

    @Option(
        names = "--embedding-size",
        split = ",",
        description = "Default: 128,640,1024; with --all 128,256,512,640,768,1024.")
    private @Nullable List<Integer> sizes;

    @Option(
        names = "--batch-size",
        split = ",",
        description = "Default: 1,16,100; with --all 1,7,8,16,24,32,64,100,128.")
    private @Nullable List<Integer> batches;

    @Option(
        names = "--sequence-length",
        split = ",",
        description = "Default: 2,31; with --all 1,2,31,1024.")
    private @Nullable List<Integer> lengths;

    private List<Integer> sizes() {
      return either(sizes, List.of(128, 256, 512, 640, 768, 1024), List.of(128, 640, 1024));
    }

    private List<Integer> batches() {
      return either(batches, List.of(1, 7, 8, 16, 24, 32, 64, 100, 128), List.of(1, 16, 100));
    }

    private List<Integer> lengths() {
      return either(lengths, List.of(1, 2, 31, 1024), List.of(2, 31));
    }

    private List<Integer> either(
        @Nullable List<Integer> given, List<Integer> complete, List<Integer> few) {
      return given != null ? given : all ? complete : few;
    }
  }

  @Override
  public Integer call() throws Exception {
    Device device = option.device();
    if (device.isGpu() && !"0".equals(System.getenv(TF32))) {
      List<String> arguments = spec.root().commandLine().getParseResult().originalArgs();
      return withoutTf32(arguments).inheritIO().start().waitFor();
    }
    boolean passed = subject.kernels == null ? golden(device) : kernels(device, subject.kernels);
    System.out.println(passed ? "passed" : "FAILED");
    return passed ? 0 : Sharnn.FAILED;
  }

  private boolean golden(Device device) throws Exception {
    boolean passed = true;
    print("device %s, precision FLOAT32%n", Devices.describe(device));
    for (Path folder : subject.folders) {
      GoldenReport report = GoldenCheck.run(folder, device);
      passed &= report.passed();
      report(folder.toString(), report);
    }
    return passed;
  }

  private static boolean kernels(Device device, KernelShapes shapes) {
    checkState(
        device.isGpu(),
        "--kernels checks kernels of a GPU, but the device is %s: name a GPU with --device",
        Devices.describe(device));
    KernelTable table = new KernelTable(device);
    for (int size : shapes.sizes()) {
      for (int texts : List.of(1, TEXTS)) {
        for (DataType type : List.of(DataType.FLOAT16, DataType.FLOAT32)) {
          table.add(
              "C " + size + ", decoder, " + texts + ", " + type,
              new DecoderCheck(size, texts, type).run(device));
        }
      }
    }
    for (int length : shapes.lengths()) {
      for (int size : shapes.sizes()) {
        for (int batch : shapes.batches()) {
          table.add(
              "C " + size + ", " + batch + " x " + length,
              new KernelCheck(size, batch, length).run(device));
        }
      }
    }
    if (shapes.all) { // the embedding's gradient is then computed in parts
      table.add(
          "C 128, 16 x 31, V " + LARGE_VOCABULARY,
          new KernelCheck(128, 16, 31, LARGE_VOCABULARY).run(device));
    }
    return table.end();
  }

  private static void report(String subject, GoldenReport report) {
    print("%s: %d tensors%n", subject, report.compared());
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
