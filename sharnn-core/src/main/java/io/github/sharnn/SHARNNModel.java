package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.BaseModel;
import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import io.github.sharnn.engine.Devices;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A DJL model that does what DJL's own for PyTorch does, and leaves its vocabulary and {@code
 * serving.properties} in the folder that it is saved to. By that file DJL's {@code Criteria} and
 * DJL Serving find {@link io.github.sharnn.zoo.SHARNNBlockFactory} and the translator of a folder.
 */
public final class SHARNNModel extends BaseModel {

  public static final String SERVING_PROPERTIES = "serving.properties";

  /** Creates a model without a block; null is DJL's default device. */
  SHARNNModel(String name, Device device) {
    super(name);
    manager = Devices.engine().newBaseManager(device);
    manager.setName("sharnn");
    dataType = DataType.FLOAT32;
  }

  /** Checks that {@link SavedModel} will find what is saved under a name. */
  static void checkName(String name) {
    checkArgument(
        name != null
            && !name.isEmpty()
            && !name.startsWith(".")
            && Path.of(name).equals(Path.of(name).getFileName()),
        "a model's name must be one that a file can have, without folders and no dot first, since"
            + " NAME-0000.params is what it is saved to, but is '%s'",
        name);
  }

  @Override
  public void load(Path folder, String prefix, Map<String, ?> options)
      throws IOException, MalformedModelException {
    setModelDir(folder);
    loadBlock(prefix == null ? modelName : prefix, options);
  }

  @Override
  public void load(InputStream in, Map<String, ?> options)
      throws IOException, MalformedModelException {
    readParameters(in, options);
  }

  /** A {@code serving.properties} that is there already stays: its options may be someone's own. */
  @Override
  public void save(Path folder, String newName) throws IOException {
    checkName(newName == null || newName.isEmpty() ? modelName : newName); // as DJL takes them
    if (block instanceof SHARNN sharnn) {
      sharnn.vocabulary().save(folder);
    }
    super.save(folder, newName);
    Path properties = folder.resolve(SERVING_PROPERTIES);
    if (Files.notExists(properties)) {
      try (InputStream in = SHARNNModel.class.getResourceAsStream(SERVING_PROPERTIES)) {
        Files.copy(in, properties);
      }
    }
  }

  /** What is frozen stays frozen, also in a model that was loaded, which DJL's own would thaw. */
  @Override
  public Trainer newTrainer(TrainingConfig config) {
    if (block == null) {
      throw new IllegalStateException("model %s must have a block to train".formatted(modelName));
    }
    config
        .getInitializers()
        .forEach(
            pair -> {
              if (pair.getKey() != null && pair.getValue() != null) {
                block.setInitializer(pair.getKey(), pair.getValue());
              }
            });
    return new Trainer(this, config);
  }

  @Override
  public String[] getArtifactNames() {
    try (Stream<Path> files = Files.walk(modelDir)) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> modelDir.relativize(file).toString())
          .toArray(String[]::new);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
