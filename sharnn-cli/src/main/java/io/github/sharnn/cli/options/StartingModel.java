package io.github.sharnn.cli.options;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A trained model that a new run begins with: the best weights of a run, or a saved model.
 *
 * @param checkpoint the run, or null for a saved model
 */
public record StartingModel(
    Path folder, SHARNNConfig config, TextVocabulary vocabulary, @Nullable Checkpoint checkpoint) {

  /** Returns the model of a run. */
  public static StartingModel of(Checkpoint checkpoint) throws IOException {
    return new StartingModel(
        checkpoint.folder(), checkpoint.config(), checkpoint.vocabulary(), checkpoint);
  }

  /** Returns the model in a folder that {@code Model.save} wrote. */
  static StartingModel saved(Path folder) throws IOException, MalformedModelException {
    try (Model model = SHARNN.load(folder, Device.cpu())) {
      SHARNN block = SHARNN.of(model);
      return new StartingModel(folder, block.config(), block.vocabulary(), null);
    }
  }

  /**
   * Creates a model with this one's weights and the options of a block.
   *
   * @throws IllegalArgumentException if the block has other sizes than the weights
   */
  public Model model(SHARNN block, Device device) throws IOException {
    try {
      if (checkpoint == null) {
        return SHARNN.load(folder, device, saved -> adapted(saved, block.config()));
      }
      Model model = block.newModel("sharnn", device);
      try {
        checkpoint.readBest(model);
        return model;
      } catch (Throwable e) {
        model.close();
        throw e;
      }
    } catch (MalformedModelException e) {
      throw otherSizes(e.getMessage());
    }
  }

  private SHARNN adapted(SHARNN saved, SHARNNConfig wanted) {
    SHARNN adapted =
        saved
            .withDropouts(wanted.inputDropout(), wanted.hiddenDropout(), wanted.outputDropout())
            .withWeightDrop(wanted.weightDrop());
    if (adapted.config().memoryLength() != wanted.memoryLength()) {
      adapted = adapted.withMemoryLength(wanted.memoryLength());
    }
    if (!adapted.config().equals(wanted)) {
      throw otherSizes(lenientFormat("%s instead of %s", wanted, adapted.config()));
    }
    return adapted;
  }

  private IllegalArgumentException otherSizes(String difference) {
    return new IllegalArgumentException(
        lenientFormat(
            "--from takes the sizes of the %s in %s with its weights: leave out options that change"
                + " them, such as --embedding-size, --layers or --splits (%s)",
            checkpoint == null ? "model" : "run", folder, difference));
  }
}
