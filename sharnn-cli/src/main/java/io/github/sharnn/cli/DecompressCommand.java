package io.github.sharnn.cli;

import ai.djl.Model;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.compress.FileCompressor;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.cli.progress.ByteProgress;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar decompress}: restores a file that {@code compress} wrote. */
@Command(
    name = "decompress",
    description =
        "Decompress a file that compress wrote, with the same model. A checksum is compared at the"
            + " end; a wrong result is an error and is deleted.")
final class DecompressCommand implements Callable<Integer> {

  @Parameters(index = "0", paramLabel = "MODEL", description = "The folder of a saved model.")
  private Path folder;

  @Parameters(index = "1", paramLabel = "FILE", description = "The compressed file.")
  private Path file;

  @Option(
      names = "--output",
      paramLabel = "FILE",
      required = true,
      description = "A new file for the result.")
  private Path output;

  @Mixin private DeviceOption device;

  @Override
  public Integer call() throws Exception {
    CompressCommand.useOneThread();
    try (Model model = SHARNN.load(folder, device.device())) {
      RunHeader.of(model).forEach(System.out::println);
      FileCompressor compressor = new FileCompressor(model);
      long start = System.nanoTime();
      FileCompressor.Sizes sizes = compressor.decompress(file, output, new ByteProgress());
      CompressCommand.report(sizes.header() + sizes.code(), sizes.original(), sizes, start);
      System.out.println("decompressed in " + output);
    }
    return 0;
  }
}
