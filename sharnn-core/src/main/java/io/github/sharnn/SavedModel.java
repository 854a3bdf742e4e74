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
import java.io.EOFException;
import java.io.IOException;
import java.io.UTFDataFormatException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds and reads the model in a folder that DJL's {@link Model#save} wrote. */
final class SavedModel {

  private static final Pattern FILE_NAME = Pattern.compile("(.+)-\\d{4}\\.params");

  private SavedModel() {}

  static Model load(Path folder, Device device, String engine)
      throws IOException, MalformedModelException {
    String name = modelName(folder);
    Model model = Model.newInstance(name, device, engine);
    boolean loaded = false;
    try {
      ConfiguredLater placeholder = new ConfiguredLater(model);
      model.setBlock(placeholder);
      model.load(folder, name);
      if (placeholder.block == null) {
        throw new MalformedModelException(folder + " does not hold a file saved by DJL");
      }
      model.setBlock(placeholder.block);
      loaded = true;
      return model;
    } catch (EOFException e) {
      throw new MalformedModelException(
          "%s holds no readable SHARNN model: the file ends too early".formatted(folder), e);
    } catch (UTFDataFormatException | RuntimeException e) {
      // DJL reads any bytes: what is no saved model shows up as whatever breaks first
      throw new MalformedModelException(
          "%s holds no readable SHARNN model: %s".formatted(folder, e), e);
    } finally {
      if (!loaded) {
        model.close();
      }
    }
  }

  private static String modelName(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      throw new NotDirectoryException(
          folder + " is not a folder; name the folder that the model was saved to");
    }
    List<String> names;
    try (Stream<Path> files = Files.list(folder)) {
      names =
          files
              .map(file -> FILE_NAME.matcher(file.getFileName().toString()))
              .filter(Matcher::matches)
              .map(matcher -> matcher.group(1))
              .distinct()
              .toList();
    }
    if (names.size() != 1) {
      throw new IOException(
          "%s must hold the NAME-0000.params of one model, but holds %s"
              .formatted(folder, names.isEmpty() ? "none" : "those of " + names));
    }
    return names.get(0);
  }

  /**
   * Stands in until DJL has read the model's properties, which it does just before the parameters:
   * then the config is known and the real block reads them.
   */
  private static final class ConfiguredLater extends AbstractBlock {

    private final Model model;
    private SHARNN block;

    ConfiguredLater(Model model) {
      this.model = model;
    }

    @Override
    public void loadParameters(NDManager manager, DataInputStream is)
        throws IOException, MalformedModelException {
      String json = model.getProperty(SHARNN.CONFIG_PROPERTY);
      if (json == null) {
        throw new MalformedModelException(
            "the file has no property %s: it was not saved from a model made by SHARNN.newModel"
                .formatted(SHARNN.CONFIG_PROPERTY));
      }
      SHARNN configured = SHARNN.of(SHARNNConfig.fromJson(json));
      configured.loadParameters(manager, is);
      block = configured;
    }

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
