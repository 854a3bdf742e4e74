package io.github.sharnn.cli;

import static io.github.sharnn.cli.progress.Texts.format;
import static io.github.sharnn.cli.progress.Texts.print;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.compress.FileCompressor;
import io.github.sharnn.cli.compress.FileCompressor.Sizes;
import io.github.sharnn.cli.options.DeviceOption;
import io.github.sharnn.cli.options.KernelsOption;
import io.github.sharnn.cli.options.ModelArgument;
import io.github.sharnn.cli.options.PrecisionOption;
import io.github.sharnn.cli.progress.ByteProgress;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.engine.kernels.Kernels;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar compress|decompress}: compresses a file with a model, or restores it. */
abstract class CompressCommand implements Callable<Integer> {

  private static final String SUFFIX = ".sharnn";
  private static final String THREADS = "ai.djl.pytorch.num_threads";

  @Mixin private ModelArgument argument;

  @Mixin private DeviceOption device;

  @Mixin private KernelsOption kernels;

  @Mixin private PrecisionOption precision;

  abstract void run(FileCompressor compressor) throws IOException;

  @Override
  public Integer call() throws Exception {
    // before PyTorch is loaded: a token's step is too small for several threads, and the compressed
    // file must not depend on the number of cores
    if (System.getProperty(THREADS) == null) {
      System.setProperty(THREADS, "1");
    }
    try (Model model = SHARNN.load(argument.folder(), device.device())) {
      SHARNN block = SHARNN.of(model).kernels(kernels.or(Kernels.Use.AUTO));
      precision.apply(model);
      DecoderHeader.of(model, SHARNNDecoder.defaultPrecision(block)).forEach(System.out::println);
      run(new FileCompressor(model));
    }
    return 0;
  }

  private static void report(long from, long to, Sizes sizes, long startNanoseconds) {
    double seconds = (System.nanoTime() - startNanoseconds) / 1e9;
    String rate =
        sizes.original() == 0
            ? ""
            : format(" (%.4f bits per byte)", 8.0 * sizes.code() / sizes.original());
    print(
        "%,d bytes to %,d: header %,d, code %,d%s; %,.0f bytes/s%n",
        from, to, sizes.header(), sizes.code(), rate, sizes.original() / seconds);
  }

  /** The command {@code compress}. */
  @Command(
      name = "compress",
      description =
          "Compress a file with a model, one step of the model for each byte or subword."
              + " Decompression needs the same model and precision, the same versions of this program and of"
              + " PyTorch, and a machine of the same type.")
  static final class Compress extends CompressCommand {

    @Parameters(index = "1", paramLabel = "FILE", description = "The file to compress.")
    private Path file;

    @Option(
        names = "--output",
        paramLabel = "FILE",
        description = "A new file for the result. Default: FILE" + SUFFIX + ".")
    private @Nullable Path output;

    @Override
    void run(FileCompressor compressor) throws IOException {
      long start = System.nanoTime();
      Path target = output == null ? Path.of(file + SUFFIX) : output;
      Sizes sizes = compressor.compress(file, target, new ByteProgress());
      report(sizes.original(), sizes.header() + sizes.code(), sizes, start);
      System.out.println("compressed in " + target);
    }
  }

  /** The command {@code decompress}. */
  @Command(
      name = "decompress",
      description =
          "Decompress a file that compress wrote, with the same model and precision. A checksum is compared at the"
              + " end; a wrong result is an error and is deleted.")
  static final class Decompress extends CompressCommand {

    @Parameters(index = "1", paramLabel = "FILE", description = "The compressed file.")
    private Path file;

    @Option(
        names = "--output",
        paramLabel = "FILE",
        required = true,
        description = "A new file for the result.")
    private Path output;

    @Override
    void run(FileCompressor compressor) throws IOException {
      long start = System.nanoTime();
      Sizes sizes = compressor.decompress(file, output, new ByteProgress());
      report(sizes.header() + sizes.code(), sizes.original(), sizes, start);
      System.out.println("decompressed in " + output);
    }
  }
}
