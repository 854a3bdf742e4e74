package io.github.sharnn.engine;

/**
 * The PyTorch operators that DJL lacks: functions fused into one kernel launch, and operators over
 * whole lists of arrays. Their source is the resource {@code operators.py}.
 *
 * <p>For this library's own use: methods may change from version to version.
 */
public final class Operators {

  private static final TorchScript INSTANCE =
      new TorchScript("Operators", TorchScript.source(Operators.class, "operators.py"));

  private Operators() {}

  /** {@return the operators of this process} */
  public static TorchScript get() {
    return INSTANCE;
  }
}
