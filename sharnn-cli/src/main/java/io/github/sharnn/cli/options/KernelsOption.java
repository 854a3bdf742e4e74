package io.github.sharnn.cli.options;

import static com.google.common.base.Strings.lenientFormat;

import io.github.sharnn.engine.kernels.Kernels;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The option that chooses between this library's CUDA kernels and PyTorch's. */
public final class KernelsOption {

  @Option(
      names = "--kernels",
      paramLabel = "USE",
      converter = UseName.class,
      description =
          "CUDA kernels of this library's own on a GPU: auto, off, or required, which fails if they"
              + " can't run. Default: auto.")
  private Kernels.@Nullable Use use;

  /** A converter of the option's value. Picocli's own converter would list other names. */
  public static final class UseName implements ITypeConverter<Kernels.Use> {

    @Override
    public Kernels.Use convert(String name) {
      List<Kernels.Use> uses = List.of(Kernels.Use.values());
      return uses.stream()
          .filter(each -> each.toString().equals(name))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      lenientFormat("expected one of %s, but was '%s'", uses, name)));
    }
  }

  /** Returns the chosen use, with a default such as that of a resumed run. */
  public Kernels.Use or(Kernels.Use otherwise) {
    return use == null ? otherwise : use;
  }
}
