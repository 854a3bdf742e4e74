package io.github.sharnn.engine;

import ai.djl.pytorch.jni.JniUtils;
import java.util.function.Supplier;

/**
 * Inference that records no gradients, on any thread. PyTorch has a gradient switch for each
 * thread. DJL turns the switch off only on the thread that loads the engine, and DJL's API cannot
 * do so on another thread. The switch also selects the LSTM's CPU kernel, whose results differ in
 * the last bits. With the switch off, all threads get the same bits.
 */
public final class InferenceMode {

  private InferenceMode() {}

  /**
   * Computes with the switch off and restores it.
   *
   * @param <T> the type of the result
   * @param inference the computation; it runs on the calling thread
   * @return the result of the computation
   */
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
