package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.BaseModel;
import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import com.google.common.base.CharMatcher;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Interrupts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A DJL model with a {@link SHARNN}, which is saved to and loaded from the folder that {@link
 * SavedModel} describes. Apart from that it behaves like DJL's model for PyTorch, except that
 * frozen parameters of a loaded model stay frozen.
 */
final class SHARNNModel extends BaseModel {

  private final Lifetime lifetime;

  /** Creates a model without a block; null is DJL's default device. */
  SHARNNModel(String name, @Nullable Device device) {
    super(name);
    manager = Devices.engine().newBaseManager(device);
    manager.setName("sharnn");
    dataType = DataType.FLOAT32;
    lifetime = new Lifetime(name, manager);
  }

  Lifetime lifetime() {
    return lifetime;
  }

  @Override
  public void setBlock(Block block) {
    super.setBlock(block);
    if (block instanceof SHARNN sharnn) {
      Lifetime weights = sharnn.beginLifetime(lifetime);
      if (weights != null && weights != lifetime) {
        lifetime.shareWeights(weights);
      }
    }
  }

  /** Waits for the calls that run, and frees the arrays, as {@link Lifetime#close} describes. */
  @Override
  public void close() {
    lifetime.close();
  }

  /** Returns a predictor whose calls hold a lease. */
  @Override
  public <I, O> Predictor<I, O> newPredictor(Translator<I, O> translator, Device device) {
    Lifetime.Lease creation = lifetime.lease();
    try (creation) {
      return new Predictor<>(this, translator, device, false) {
        @Override
        public List<O> batchPredict(List<I> inputs) throws TranslateException {
          Lifetime.Lease lease = lifetime.lease();
          try (lease) {
            return super.batchPredict(inputs);
          }
        }
      };
    }
  }

  /** Checks that a name can be a file's, as DJL's own models require. */
  static void checkName(String name) {
    checkArgument(
        name != null
            && !name.isEmpty()
            && !name.startsWith(".")
            && name.codePoints().noneMatch(SHARNNModel::isUnprintable)
            && Path.of(name).equals(Path.of(name).getFileName()),
        "a model's name must be a file name without folders, control characters and a leading dot, but"
            + " is '%s'",
        name == null ? null : CharMatcher.javaIsoControl().replaceFrom(name, '?'));
  }

  /** Tells if a character, such as a newline, would split or hide a line that shows the name. */
  private static boolean isUnprintable(int codePoint) {
    return switch (Character.getType(codePoint)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          true;
      default -> false;
    };
  }

  /**
   * Loads the saved model from a folder, and ignores DJL's other arguments. If a block is already
   * set, it must have the saved model's shapes and vocabulary.
   */
  @Override
  public void load(Path folder, @Nullable String prefix, @Nullable Map<String, ?> options)
      throws IOException, MalformedModelException {
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      Interrupts.defer(() -> read(folder));
    }
    setFolder(folder);
  }

  private @Nullable Void read(Path folder) throws IOException, MalformedModelException {
    try (SavedModel saved = SavedModel.open(folder)) {
      if (block == null) {
        setBlock(saved.read(this, lifetime, UnaryOperator.identity()));
      } else {
        saved.readInto(SHARNN.of(this), this, manager);
      }
    }
    return null;
  }

  void setFolder(Path folder) {
    modelDir = folder.toAbsolutePath();
  }

  @Override
  public void save(Path folder, @Nullable String newName) throws IOException {
    String name = newName == null || newName.isEmpty() ? modelName : newName; // as DJL takes them
    checkName(name);
    SavedModel.save(this, name, folder);
    setFolder(folder);
  }

  /** Leaves frozen parameters frozen, unlike DJL's own model after loading. */
  @Override
  public Trainer newTrainer(TrainingConfig config) {
    checkState(block != null, "model %s must have a block to train", modelName);
    config
        .getInitializers()
        .forEach(
            pair -> {
              if (pair.getKey() != null && pair.getValue() != null) {
                block.setInitializer(pair.getKey(), pair.getValue());
              }
            });
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      return new Trainer(this, config);
    }
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
