package io.github.sharnn.pretrained;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.MalformedModelException;
import ai.djl.util.Utils;
import com.google.common.hash.Hashing;
import com.google.common.hash.HashingInputStream;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.io.FolderLock;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.io.Names;
import io.github.sharnn.io.UnpackedFolder;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * The pretrained models on the class path. Nothing is downloaded.
 *
 * <p>The artifact {@code io.github.sharnn:sharnn-models} holds {@code wiki-bytes}. A jar of your
 * own adds models by registering a {@link PretrainedModel}.
 */
public final class PretrainedModels {

  private static final String ARTIFACT = "io.github.sharnn:sharnn-models";

  /** The files that users may edit in a saved folder, which have no sums. */
  private static final List<String> WITHOUT_SUMS = List.of("serving.properties", "README.md");

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9]+([._-][A-Za-z0-9]+)*");

  private PretrainedModels() {}

  /** {@return the names of the models on the class path, sorted} */
  public static List<String> names() {
    return names(onClassPath());
  }

  private static List<String> names(List<PretrainedModel> models) {
    return models.stream().map(PretrainedModel::name).sorted().toList();
  }

  /**
   * Returns a folder with the files of a model, which {@link io.github.sharnn.SHARNN#load} and
   * DJL's {@code Criteria} read:
   *
   * <pre>{@code
   * Path folder = PretrainedModels.folder("wiki-bytes");
   * Model tuned = SHARNN.load(folder, null, block -> block.withDropouts(0.3f));
   * }</pre>
   *
   * <p>The first call unpacks the files from the jar into {@code sharnn/pretrained} in DJL's cache
   * folder, under the SHA-256 of the model. Later calls compare the files with their SHA-256, and
   * unpack all again if one is damaged or missing. {@code README.md} and {@code serving.properties}
   * have no SHA-256, so that you may edit them. Save the model to another folder if you want to
   * change it.
   *
   * @param name one of {@link #names()}
   * @return the folder of the saved model
   * @throws IllegalArgumentException if no jar on the class path has a model of this name, or the
   *     name of a model is no name of a folder
   * @throws IOException if the jar is damaged, or the cache folder can't be written
   */
  public static Path folder(String name) throws IOException {
    Path cache = Utils.getCacheDir().resolve("sharnn").resolve("pretrained");
    return folder(find(name, onClassPath()), cache);
  }

  private static List<PretrainedModel> onClassPath() {
    return ServiceLoader.load(PretrainedModel.class, PretrainedModels.class.getClassLoader())
        .stream()
        .map(ServiceLoader.Provider::get)
        .toList();
  }

  static PretrainedModel find(String name, List<PretrainedModel> models) {
    Optional<PretrainedModel> found =
        models.stream().filter(model -> model.name().equals(name)).findFirst();
    checkArgument(
        found.isPresent(),
        "no pretrained model named '%s' is on the class path:%s",
        name,
        models.isEmpty()
            ? " add the dependency " + ARTIFACT + " for wiki-bytes"
            : Names.suggestion(name, names(models)));
    return found.get();
  }

  static synchronized Path folder(PretrainedModel model, Path cache) throws IOException {
    checkArgument(
        NAME.matcher(model.name()).matches(),
        "the name of a pretrained model must have letters, digits and inner hyphens, dots and"
            + " underscores alone, but is '%s': rename it in %s",
        model.name(),
        model.getClass().getName());
    byte[] sums = read(model, CheckedFolder.SUMS);
    Path folder = cache.resolve(model.name()).resolve(Hashing.sha256().hashBytes(sums).toString());
    try {
      Interrupts.defer(
          () -> {
            if (Files.exists(folder)) { // else another process may be about to create it
              repair(folder, sums);
            }
            if (!Files.exists(folder)) {
              UnpackedFolder.create(folder, unfinished -> unpack(model, sums, unfinished));
            }
            return folder;
          });
    } catch (FileSystemException e) {
      throw new IOException(
          lenientFormat(
              "the pretrained model %s can't be unpacked into %s: %s; set DJL_CACHE_DIR to a folder that"
                  + " you may write to",
              model.name(), cache, e),
          e);
    }
    return folder;
  }

  /** Deletes a damaged copy, which another process may repair at the same time. */
  private static void repair(Path folder, byte[] sums) throws IOException {
    if (isComplete(folder, sums)) {
      return;
    }
    FolderLock lock = FolderLock.ofSave(folder.getParent());
    try (lock) {
      if (!isComplete(folder, sums)) {
        Path damaged = folder.resolveSibling(UnpackedFolder.UNFINISHED + UUID.randomUUID());
        Files.move(folder, damaged); // fails where the deletion would fail in silence
        Utils.deleteQuietly(damaged);
      }
    }
  }

  private static byte[] read(PretrainedModel model, String file) throws IOException {
    try (InputStream in = open(model, file)) {
      return in.readAllBytes();
    }
  }

  private static InputStream open(PretrainedModel model, String file) throws IOException {
    InputStream in = model.open(file);
    if (in == null) {
      throw new FileNotFoundException(
          lenientFormat(
              "the jar of the pretrained model %s has no %s: download the jar again",
              model.name(), file));
    }
    return in;
  }

  private static boolean isComplete(Path folder, byte[] sums) throws IOException {
    Path file = folder.resolve(CheckedFolder.SUMS);
    if (!Files.isRegularFile(file)
        || Files.size(file) != sums.length
        || !Arrays.equals(Files.readAllBytes(file), sums)) {
      return false;
    }
    try {
      CheckedFolder.open(folder).close();
      return true;
    } catch (MalformedModelException | NoSuchFileException e) {
      return false; // damaged or cleaned up since: unpacked again
    }
  }

  private static void unpack(PretrainedModel model, byte[] sums, Path folder) throws IOException {
    for (Map.Entry<String, String> entry : listed(model, sums).entrySet()) {
      String file = entry.getKey();
      HashingInputStream in = new HashingInputStream(Hashing.sha256(), open(model, file));
      try (in) {
        Files.copy(in, folder.resolve(file));
      }
      String sum = in.hash().toString();
      if (!sum.equals(entry.getValue())) {
        throw new IOException(
            lenientFormat(
                "the jar of the pretrained model %s is damaged: its %s has the SHA-256 %s, but %s lists"
                    + " %s; download the jar again",
                model.name(), file, sum, CheckedFolder.SUMS, entry.getValue()));
      }
    }
    for (String file : WITHOUT_SUMS) {
      try (InputStream in = model.open(file)) {
        if (in != null) {
          Files.copy(in, folder.resolve(file));
        }
      }
    }
    Files.write(folder.resolve(CheckedFolder.SUMS), sums);
  }

  private static Map<String, String> listed(PretrainedModel model, byte[] sums) throws IOException {
    try {
      return CheckedFolder.parse(Path.of(model.name()), sums);
    } catch (MalformedModelException e) {
      throw new IOException(e.getMessage(), e);
    }
  }
}
