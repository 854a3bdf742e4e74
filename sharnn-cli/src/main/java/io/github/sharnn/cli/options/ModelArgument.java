package io.github.sharnn.cli.options;

import static com.google.common.base.Strings.lenientFormat;

import io.github.sharnn.pretrained.PretrainedModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.List;
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
   * Returns the folder. The files of a pretrained model are unpacked first.
   *
   * @throws NotDirectoryException if there is neither a folder nor a pretrained model of that name
   */
  public Path folder() throws IOException {
    return folder(model);
  }

  /** Returns a folder itself, or the folder of the pretrained model of that name. */
  static Path folder(Path model) throws IOException {
    if (Files.exists(model)) {
      return model;
    }
    String name = model.toString();
    List<String> names = PretrainedModels.names();
    if (!names.contains(name)) {
      throw new NotDirectoryException(
          lenientFormat(
              "%s is not a folder; name the folder that the model was saved to, or a pretrained"
                  + " model: %s",
              name, String.join(", ", names)));
    }
    return PretrainedModels.folder(name);
  }
}
