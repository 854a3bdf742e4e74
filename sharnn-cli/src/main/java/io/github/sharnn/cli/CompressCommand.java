package io.github.sharnn.cli;

import ai.djl.Model;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.compress.FileCompressor;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.cli.progress.ByteProgress;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar compress}: compresses a file with a model. */
@Command(
    name = "compress",
    description =
        "Compress a file with a model, one step of the model for each byte or subword."
            + " Decompression needs the same model, the same versions of this program and of"
            + " PyTorch, and a machine of the same type.")
final class CompressCommand implements Callable<Integer> {

  private static final String SUFFIX = ".sharnn";
  private static final String THREADS = "ai.djl.pytorch.num_threads";

  @Parameters(index = "0", paramLabel = "MODEL", description = "The folder of a saved model.")
  private Path folder;

  @Parameters(index = "1", paramLabel = "FILE", description = "The file to compress.")
  private Path file;

  @Option(
      names = "--output",
      paramLabel = "FILE",
      description = "A new file for the result. Default: FILE" + SUFFIX + ".")
  private @Nullable Path output;

  @Mixin private DeviceOption device;

  @Override
  public Integer call() throws Exception {
    useOneThread();
    Path target = output == null ? Path.of(file + SUFFIX) : output;
    try (Model model = SHARNN.load(folder, device.device())) {
      RunHeader.of(model).forEach(System.out::println);
      FileCompressor compressor = new FileCompressor(model);
      long start = System.nanoTime();
      FileCompressor.Sizes sizes = compressor.compress(file, target, new ByteProgress());
      report(sizes.original(), sizes.header() + sizes.code(), sizes, start);
      System.out.println("compressed in " + target);
    }
    return 0;
  }

  /**
   * Makes PyTorch use one thread; call it before PyTorch is loaded. A token's step is too small for
   * several threads, and the compressed file must not depend on the number of cores.
   */
  static void useOneThread() {
    if (System.getProperty(THREADS) == null) {
      System.setProperty(THREADS, "1");
    }
  }

  static void report(long from, long to, FileCompressor.Sizes sizes, long startNanoseconds) {
    double seconds = (System.nanoTime() - startNanoseconds) / 1e9;
    String rate =
        sizes.original() == 0
            ? ""
            : String.format(
                Locale.ROOT, " (%.4f bits per byte)", 8.0 * sizes.code() / sizes.original());
    System.out.printf(
        Locale.ROOT,
        "%,d bytes to %,d: header %,d, code %,d%s; %,.0f bytes/s%n",
        from,
        to,
        sizes.header(),
        sizes.code(),
        rate,
        sizes.original() / seconds);
  }
}
