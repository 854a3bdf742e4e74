package io.github.sharnn.engine;

import com.google.common.io.Resources;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/**
 * The PyTorch operators that DJL lacks: functions fused into one kernel launch, and operators over
 * whole lists of arrays. Their source is the resource {@code operators.py}.
 *
 * <p>For this library's own use: methods may change from version to version.
 */
public final class Operators {

  private static final TorchScript INSTANCE = new TorchScript("Operators", source());

  private Operators() {}

  /**
   * Returns the operators of this process.
   *
   * @return the one instance
   */
  public static TorchScript get() {
    return INSTANCE;
  }

  private static String source() {
    try {
      return Resources.toString(
          Resources.getResource(Operators.class, "operators.py"), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
