package io.github.sharnn;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds and reads the model in a folder that DJL's {@link Model#save} wrote. */
final class SavedModel {

  // a hidden file is none of DJL's: beside one it would look into a folder in the folder
  private static final Pattern FILE_NAME = Pattern.compile("([^.].*)-(\\d{4})\\.params");

  private SavedModel() {}

  static Model load(Path folder, Device device, String engine, UnaryOperator<SHARNN> backOff)
      throws IOException, MalformedModelException {
    Path file = newestFile(folder);
    String fileName = file.getFileName().toString();
    String name = fileName.substring(0, fileName.length() - "-0000.params".length());
    Model model = Model.newInstance(name, device, engine);
    boolean loaded = false;
    try {
      SHARNN block = SavedModelFile.read(file, model.getNDManager());
      model.setBlock(new AlreadyRead());
      model.load(folder, name);
      SHARNN used = backOff.apply(block);
      model.setBlock(used);
      model.setProperty(SHARNN.CONFIG_PROPERTY, used.config().toJson());
      loaded = true;
      return model;
    } finally {
      if (!loaded) {
        model.close();
      }
    }
  }

  /** The file that DJL will load. */
  private static Path newestFile(Path folder) throws IOException {
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

  /** Stands in while DJL reads the model's properties, which come before the weights. */
  private static final class AlreadyRead extends AbstractBlock {

    @Override
    public void loadParameters(NDManager manager, DataInputStream is) {}

    @Override
    protected NDList forwardInternal(
        ParameterStore parameterStore,
        NDList inputs,
        boolean training,
        PairList<String, Object> params) {
      throw new IllegalStateException("the model has not been loaded");
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      throw new IllegalStateException("the model has not been loaded");
    }
  }
}
