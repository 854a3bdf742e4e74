package io.github.sharnn.cli;

import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.util.Progress;
import io.github.sharnn.cli.progress.ByteProgress;
import io.github.sharnn.train.data.Enwik8;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar prepare-enwik8|prepare-text8}: finds or downloads a benchmark corpus. */
abstract class PrepareCommand implements Callable<Integer> {

  @Parameters(
      paramLabel = "DIR",
      description = "The folder for the corpus; created if it is missing.")
  private Path folder;

  abstract Path prepare(Path folder, Progress progress) throws IOException;

  @Override
  public Integer call() throws Exception {
    ByteProgress progress = new ByteProgress();
    Path file;
    try {
      file = prepare(folder, progress);
    } finally {
      progress.end();
    }
    print("%s is complete. Next: train --corpus %s --enwik8%n", file, file);
    return 0;
  }

  /** The first 100 MB of Wikipedia's XML, the usual benchmark of character models. */
  @Command(
      name = "prepare-enwik8",
      description =
          "Find enwik8 or enwik8.zip in a folder, or download it (36 MB, unpacked 100 MB), and"
              + " check its checksum.")
  static final class OfEnwik8 extends PrepareCommand {

    @Override
    Path prepare(Path folder, Progress progress) throws IOException {
      return Enwik8.prepare(folder, progress);
    }
  }

  /** The text of enwik8 in 27 characters. */
  @Command(
      name = "prepare-text8",
      description =
          "Find text8 or text8.zip in a folder, or download it (31 MB, unpacked 100 MB), and check"
              + " its checksum.")
  static final class OfText8 extends PrepareCommand {

    @Override
    Path prepare(Path folder, Progress progress) throws IOException {
      return Enwik8.prepareText8(folder, progress);
    }
  }
}
