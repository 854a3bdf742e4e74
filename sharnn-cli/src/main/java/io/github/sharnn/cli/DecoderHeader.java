package io.github.sharnn.cli;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.decode.SHARNNDecoder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The first lines of a command that computes token by token: a run's, with a decoder's kernels. */
final class DecoderHeader {

  private static final String KERNELS = "kernels: "; // only on a GPU

  private DecoderHeader() {}

  /** Returns the lines; null stands for the precision of the weights. */
  static List<String> of(Model model, @Nullable DataType precision) {
    List<String> lines = precision == null ? RunHeader.of(model) : RunHeader.of(model, precision);
    String kernels = KERNELS + SHARNNDecoder.kernels(SHARNN.of(model), precision);
    return lines.stream().map(line -> line.startsWith(KERNELS) ? kernels : line).toList();
  }
}
