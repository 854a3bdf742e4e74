package io.github.sharnn.models;

import io.github.sharnn.pretrained.PretrainedModel;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/**
 * A small model of bytes, trained on English Wikipedia text of 2015:
 *
 * <pre>{@code
 * Model model = SHARNN.pretrained("wiki-bytes");
 * }</pre>
 *
 * <p>Its model card is the file {@code wiki-bytes/README.md} beside this class.
 */
public final class WikiBytes implements PretrainedModel {

  /** Creates the description of the model. {@code ServiceLoader} calls this constructor. */
  public WikiBytes() {}

  /** {@return {@code wiki-bytes}} */
  @Override
  public String name() {
    return "wiki-bytes";
  }

  @Override
  public @Nullable InputStream open(String file) {
    return WikiBytes.class.getResourceAsStream("wiki-bytes/" + file);
  }
}
