package io.github.sharnn.cli.options;

import io.github.sharnn.engine.kernels.Kernels;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option that chooses between this library's CUDA kernels and PyTorch's. */
public final class KernelsOption {

  @Option(
      names = "--kernels",
      paramLabel = "USE",
      description =
          "CUDA kernels of this library's own on a GPU: auto, off, or required, which fails if they"
              + " can't run. Default: auto.")
  private Kernels.@Nullable Use use;

  /** Returns the chosen use, with a default such as that of a resumed run. */
  public Kernels.Use or(Kernels.Use otherwise) {
    return use == null ? otherwise : use;
  }
}
