package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import picocli.CommandLine.Option;

/** The option {@code --precision} of the commands that predict a given text. */
public final class PrecisionOption {

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      description =
          "FLOAT32, or INT8 to round the model's matrices to 8 bits first. Default: FLOAT32.")
  private DataType precision = DataType.FLOAT32;

  /** Quantizes a model that was loaded in FLOAT32, if INT8 was chosen. */
  public void apply(Model model) {
    checkArgument(
        precision == DataType.FLOAT32 || isInt8(),
        "--precision must be FLOAT32 or INT8, but is %s",
        precision.name());
    if (isInt8()) {
      SHARNN block = SHARNN.of(model);
      DataType type = block.embedding.getArray().getDataType();
      checkArgument(
          block.isQuantized() || type == DataType.FLOAT32,
          "--precision INT8 is for a model with FLOAT32 weights, but this one has %s: leave --precision"
              + " out to compute in %s",
          type.name(),
          type.name());
      block.quantize();
    }
  }

  /** Tells if INT8 was chosen. */
  public boolean isInt8() {
    return precision == DataType.INT8;
  }
}
