package io.github.sharnn.cli.options;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** How much of its memory a saved model keeps, the same for every command that runs one. */
public final class BackOffOptions {

  @Option(
      names = "--memory-length",
      paramLabel = "N",
      description =
          "Positions that attention sees, 0 for the segment's own alone. Default: as trained.")
  private Integer memoryLength;

  @Option(names = "--no-attention", description = "Leave attention out.")
  private boolean noAttention;

  public Model load(Path folder, Device device) throws IOException, MalformedModelException {
    return SHARNN.load(folder, device, this::backOff);
  }

  private SHARNN backOff(SHARNN block) {
    SHARNN shorter = memoryLength == null ? block : block.withMemoryLength(memoryLength);
    return noAttention ? shorter.withoutAttention() : shorter;
  }
}
