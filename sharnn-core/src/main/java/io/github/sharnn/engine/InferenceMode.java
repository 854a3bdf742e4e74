package io.github.sharnn.engine;

import ai.djl.pytorch.jni.JniUtils;
import java.util.function.Supplier;

/**
 * Inference that records no gradients, on any thread. PyTorch has a gradient switch for each
 * thread. DJL turns it off only on the thread that loads the engine, and its API cannot turn it off
 * on another. The switch also selects the kernel of a CPU's LSTM and so the last bits of its
 * result. With the switch off, every thread gets the same bits.
 */
public final class InferenceMode {

  private InferenceMode() {}

  /** Computes with the switch off and restores it. */
  public static <T> T call(Supplier<T> inference) {
    boolean recording = JniUtils.isGradMode();
    JniUtils.setGradMode(false);
    try {
      return inference.get();
    } finally {
      JniUtils.setGradMode(recording);
    }
  }
}
