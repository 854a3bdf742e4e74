package io.github.sharnn.examples;

import ai.djl.training.util.ProgressBar;
import io.github.sharnn.train.Enwik8;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar prepare-text8}: the same text as enwik8 in 27 characters. */
@Command(
    name = "prepare-text8",
    description =
        "Find text8 or text8.zip in a folder, or download it (31 MB, 100 MB unpacked), and check"
            + " it.",
    mixinStandardHelpOptions = true)
final class PrepareText8Command implements Callable<Integer> {

  @Parameters(paramLabel = "DIR", description = "The folder; created where needed.")
  private Path folder;

  @Override
  public Integer call() throws Exception {
    Path file = Enwik8.prepareText8(folder, new ProgressBar());
    System.out.printf("%s is whole. Next: train --corpus %s --enwik8%n", file, file);
    return 0;
  }
}
