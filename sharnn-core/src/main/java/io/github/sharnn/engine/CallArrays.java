package io.github.sharnn.engine;

import ai.djl.translate.TranslatorContext;
import java.util.UUID;

/** The arrays of one call of a DJL Predictor, which frees them if the call fails halfway. */
public final class CallArrays {

  private CallArrays() {}

  /**
   * Closes arrays at the end of a Predictor's call. A model that DJL has made closes its contexts
   * too, in the middle of a call on another thread. This has no effect on the arrays.
   *
   * @param ctx the call's context
   * @param arrays the arrays, which may be closed before
   */
  public static void closeWith(TranslatorContext ctx, AutoCloseable arrays) {
    Thread caller = Thread.currentThread();
    ctx.getNDManager()
        .attachInternal(
            UUID.randomUUID().toString(),
            () -> {
              if (Thread.currentThread() == caller) {
                arrays.close();
              }
            });
  }
}
