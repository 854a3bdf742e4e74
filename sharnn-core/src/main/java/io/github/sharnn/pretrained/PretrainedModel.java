package io.github.sharnn.pretrained;

import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/**
 * A trained model in a jar. {@link java.util.ServiceLoader} finds the implementations, which are
 * registered in {@code META-INF/services} and in a module's descriptor.
 *
 * <p>The files are those of a saved model's folder, as {@link io.github.sharnn.SavedModel}
 * describes them.
 */
public interface PretrainedModel {

  /**
   * {@return the model's name, such as {@code wiki-bytes}: letters and digits, with hyphens, dots
   * and underscores between them}
   */
  String name();

  /**
   * Opens a file of the model.
   *
   * @param file the file's name within the folder, such as {@code config.json}
   * @return the content, which the caller closes, or null if the model has no such file
   * @throws IOException if the file can't be read
   */
  @Nullable InputStream open(String file) throws IOException;
}
