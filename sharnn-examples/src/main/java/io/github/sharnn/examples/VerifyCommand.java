package io.github.sharnn.examples;

import io.github.sharnn.train.GoldenCheck;
import io.github.sharnn.train.GoldenReport;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar verify}: this installation against the reference's numbers. */
@Command(
    name = "verify",
    description = {
      "Check this installation against folders of golden vectors.",
      "Prints the worst relative error of each kind and the tensor that has it; exits with 1 where one is"
          + " beyond its tolerance."
    },
    mixinStandardHelpOptions = true)
final class VerifyCommand implements Callable<Integer> {

  @Parameters(
      paramLabel = "DIR",
      arity = "1..*",
      description = "Folders with config.json, model.safetensors and expected.safetensors.")
  private List<Path> folders;

  @Override
  public Integer call() throws Exception {
    boolean passed = true;
    for (Path folder : folders) {
      GoldenReport report = GoldenCheck.run(folder, null);
      passed &= report.passed();
      System.out.printf("%s: %d tensors%n", folder, report.compared());
      for (GoldenReport.Measure measure : report.worst()) {
        System.out.printf(
            Locale.ROOT,
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
}
