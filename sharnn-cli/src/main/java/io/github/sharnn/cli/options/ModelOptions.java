package io.github.sharnn.cli.options;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.kernels.Kernels;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A saved model, its device and kernels, and options that shorten or remove its attention. */
public final class ModelOptions {

  @Mixin private ModelArgument argument;

  @Mixin private DeviceOption device;

  @Mixin private KernelsOption kernels;

  @Option(
      names = "--memory-length",
      paramLabel = "N",
      description =
          "Number of positions that attention sees; 0 limits attention to the segment. Default: as"
              + " trained.")
  private @Nullable Integer memoryLength;

  @Option(names = "--no-attention", description = "Run the model without attention.")
  private boolean noAttention;

  /** Loads the model. */
  public Model load() throws IOException, MalformedModelException {
    Model model = SHARNN.load(argument.folder(), device.device(), this::backOff);
    SHARNN.of(model).kernels(kernels.or(Kernels.Use.AUTO));
    return model;
  }

  private SHARNN backOff(SHARNN block) {
    SHARNN shorter = memoryLength == null ? block : block.withMemoryLength(memoryLength);
    return noAttention ? shorter.withoutAttention() : shorter;
  }
}
