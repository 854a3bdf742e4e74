package io.github.sharnn.cli.options;

import ai.djl.Device;
import ai.djl.util.Platform;
import ai.djl.util.Utils;
import com.google.common.base.Strings;
import io.github.sharnn.engine.Devices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/** Where a command computes, the same for every command that does. */
public final class DeviceOption {

  private static final String DEFAULT = "auto";

  @Option(
      names = "--device",
      paramLabel = "NAME",
      description =
          "Where to compute: auto (a GPU where DJL finds one), cpu, gpu, or gpu1 and so on. Default: "
              + DEFAULT
              + ".")
  private String name;

  /** Returns the device that was asked for, after a word to the user if DJL downloads first. */
  public Device device() throws IOException {
    return device(DEFAULT);
  }

  /** The same, but for another default, the device of a run that goes on. */
  public Device device(String otherwise) throws IOException {
    Platform platform = Platform.detectPlatform("pytorch");
    Path cache = Utils.getEngineCacheDir("pytorch");
    boolean downloads =
        platform.isPlaceholder()
            && Strings.isNullOrEmpty(Utils.getEnvOrSystemProperty("PYTORCH_LIBRARY_PATH"));
    if (downloads && !holdsPyTorch(cache, platform.getVersion())) {
      System.err.printf(
          "%s has no PyTorch %s: DJL downloads it now, which can take minutes%n",
          cache, platform.getVersion());
    }
    return Devices.of(name == null ? otherwise : name);
  }

  /** Whether a folder holds a build of that version, by the names that DJL gives them. */
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
