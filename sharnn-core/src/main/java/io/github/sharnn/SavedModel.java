package io.github.sharnn;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds and reads the model in a folder that DJL's {@link Model#save} wrote. */
public final class SavedModel {

  /** Keeps DJL from reading, with its own reader, weights that are there already. */
  static final Map<String, String> WITHOUT_WEIGHTS = Map.of("hasParameter", "false");

  // a hidden file is none of DJL's: beside one it would look into a folder in the folder
  private static final Pattern FILE_NAME = Pattern.compile("([^.].*)-(\\d{4})\\.params");

  private SavedModel() {}

  static Model load(Path folder, Device device, UnaryOperator<SHARNN> backOff)
      throws IOException, MalformedModelException {
    Path file = newestFile(folder);
    String fileName = file.getFileName().toString();
    String name = fileName.substring(0, fileName.length() - "-0000.params".length());
    Model model = new SHARNNModel(name, device);
    boolean loaded = false;
    try {
      model.setBlock(read(file, model, backOff));
      model.load(folder, name, WITHOUT_WEIGHTS);
      loaded = true;
      return model;
    } finally {
      if (!loaded) {
        model.close();
      }
    }
  }

  /** Reads the block of a file into a model, and backs off. */
  public static SHARNN read(Path file, Model model, UnaryOperator<SHARNN> backOff)
      throws IOException, MalformedModelException {
    SHARNN block = backOff.apply(SavedModelFile.read(file, model));
    model.setProperty(SHARNN.CONFIG_PROPERTY, block.config().toJson());
    return block;
  }

  /** The file that DJL would load. */
  public static Path newestFile(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      throw new NotDirectoryException(
          folder + " is not a folder; name the folder that the model was saved to");
    }
    TreeMap<String, Path> files = new TreeMap<>();
    Set<String> names = new TreeSet<>();
    try (Stream<Path> paths = Files.list(folder)) {
      paths.forEach(
          path -> {
            Matcher matcher = FILE_NAME.matcher(path.getFileName().toString());
            if (matcher.matches()) {
              names.add(matcher.group(1));
              files.put(matcher.group(2), path);
            }
          });
    }
    if (names.size() != 1) {
      throw new IOException(
          "%s must hold the NAME-0000.params of one model, but holds %s"
              .formatted(folder, names.isEmpty() ? "none" : "those of " + names));
    }
    return files.lastEntry().getValue();
  }
}
