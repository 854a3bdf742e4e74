package io.github.sharnn.cli.options;

import ai.djl.Device;
import ai.djl.util.Platform;
import ai.djl.util.Utils;
import com.google.common.base.Strings;
import io.github.sharnn.engine.Devices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option that chooses the device. */
public final class DeviceOption {

  public static final String DEFAULT = "auto";

  @Option(
      names = "--device",
      paramLabel = "NAME",
      description =
          "The device: auto (a GPU if DJL finds one), cpu, gpu, or gpu1 and so on. Default: "
              + DEFAULT
              + ".")
  private @Nullable String name;

  /** Returns the chosen device, and tells the user if DJL downloads PyTorch first. */
  public Device device() throws IOException {
    return device(DEFAULT);
  }

  /** Returns the chosen device, with a default such as the device of a resumed run. */
  public Device device(String otherwise) throws IOException {
    Platform platform = Platform.detectPlatform("pytorch");
    Path cache = Utils.getEngineCacheDir("pytorch");
    boolean downloads =
        platform.isPlaceholder()
            && Strings.isNullOrEmpty(Utils.getEnvOrSystemProperty("PYTORCH_LIBRARY_PATH"));
    if (downloads && !holdsPyTorch(cache, platform.getVersion())) {
      System.err.printf(
          Locale.ROOT,
          "%s has no PyTorch %s: DJL downloads it now, which can take minutes%n",
          cache,
          platform.getVersion());
    }
    return Devices.of(name == null ? otherwise : name);
  }

  /** Tells if a cache folder holds a build of a PyTorch version, by DJL's names of folders. */
  static boolean holdsPyTorch(Path cache, String version) throws IOException {
    if (!Files.isDirectory(cache)) {
      return false;
    }
    try (Stream<Path> folders = Files.list(cache)) {
      return folders.anyMatch(
          folder ->
              folder.getFileName().toString().startsWith(version + "-")
                  && Files.exists(folder.resolve(System.mapLibraryName("torch"))));
    }
  }
}
