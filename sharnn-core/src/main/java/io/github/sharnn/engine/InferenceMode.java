package io.github.sharnn.engine;

import ai.djl.pytorch.jni.JniUtils;
import java.util.function.Supplier;

/**
 * Inference that records no gradients, whatever the thread. Whether PyTorch records is a switch of
 * each thread: DJL turns it off on the thread that loads the engine alone, and its API has nothing
 * to turn it off on another. It also decides which kernel a CPU's LSTM takes, and so the last bits
 * of the result: with the switch off every thread gets the same.
 */
public final class InferenceMode {

  private InferenceMode() {}

  /** Computes with the switch off and puts it back. */
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
