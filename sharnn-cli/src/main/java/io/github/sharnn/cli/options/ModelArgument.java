package io.github.sharnn.cli.options;

import io.github.sharnn.pretrained.PretrainedModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Parameters;

/** The model of a command: a saved folder, or a pretrained model by its name. */
public final class ModelArgument {

  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description =
          "The folder of a saved model, or the name of a pretrained one, such as wiki-bytes. A"
              + " folder of that name is preferred.")
  private Path model;

  /**
   * Returns the folder, which may be missing. The files of a pretrained model are unpacked first.
   */
  public Path folder() throws IOException {
    return folder(model);
  }

  /** Returns a folder itself, or the folder of the pretrained model of that name. */
  static Path folder(Path model) throws IOException {
    String name = model.toString();
    return !Files.exists(model) && PretrainedModels.names().contains(name)
        ? PretrainedModels.folder(name)
        : model;
  }
}
