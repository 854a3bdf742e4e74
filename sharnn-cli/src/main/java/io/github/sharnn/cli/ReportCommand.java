package io.github.sharnn.cli;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SavedModel;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.cli.report.ReportPage;
import io.github.sharnn.cli.report.RunLog;
import io.github.sharnn.cli.report.RunMetrics;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar report}: writes a page on one run, or on several side by side. */
@Command(
    name = "report",
    description =
        "Write an HTML page with the curves, samples, attention and settings of one or more runs.")
final class ReportCommand implements Callable<Integer> {

  @Parameters(
      paramLabel = "RUN",
      arity = "1..*",
      description = "Folders that train --output wrote, or files that train --metrics wrote.")
  private List<Path> paths;

  @Option(names = "--output", paramLabel = "HTML", description = "A new file for the page.")
  private Path output = Path.of("report.html");

  @Option(
      names = "--text",
      paramLabel = "TEXT",
      parameterConsumer = Arguments.Text.class,
      description =
          "The text to draw the attention for, at most "
              + RunLog.LONGEST_TEXT
              + " bytes of UTF-8. Default: each run's own.")
  private @Nullable String text;

  @Mixin private DeviceOption device;

  @Override
  public Integer call() throws Exception {
    Sharnn.checkNewFile(output, "--output");
    byte[] given = text == null ? null : RunLog.bytes(text, "--text");
    ReportPage page = new ReportPage();
    for (Path path : paths) {
      RunMetrics run = RunMetrics.read(path);
      byte[] read = given == null ? run.text() : given;
      if (read.length > 0 && Files.exists(path.resolve(SavedModel.CONFIG))) {
        try (Model model = SHARNN.load(path, device.device())) {
          TextVocabulary vocabulary = SHARNN.of(model).vocabulary();
          page.add(run, read, vocabulary, RunLog.attention(model, read));
        }
      } else {
        page.add(run, read, null, null);
      }
    }
    page.write(output);
    System.out.println("written to " + output);
    return 0;
  }
}
