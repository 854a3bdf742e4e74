package io.github.sharnn.cli.options;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that shorten or remove the attention of a saved model. */
public final class BackOffOptions {

  @Option(
      names = "--memory-length",
      paramLabel = "N",
      description =
          "Number of positions that attention sees; 0 for the segment itself only. Default: as"
              + " trained.")
  private @Nullable Integer memoryLength;

  @Option(names = "--no-attention", description = "Run the model without attention.")
  private boolean noAttention;

  /** Loads a model with these options. */
  public Model load(Path folder, Device device) throws IOException, MalformedModelException {
    return SHARNN.load(folder, device, this::backOff);
  }

  private SHARNN backOff(SHARNN block) {
    SHARNN shorter = memoryLength == null ? block : block.withMemoryLength(memoryLength);
    return noAttention ? shorter.withoutAttention() : shorter;
  }
}
