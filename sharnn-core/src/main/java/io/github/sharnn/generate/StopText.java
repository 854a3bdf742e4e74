package io.github.sharnn.generate;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A detector of the stop text in a stream of bytes. */
final class StopText {

  private final byte[] stop; // empty for none
  private final byte[] newest;
  private int seen;

  /** Looks for a text as UTF-8, or for nothing if it is null. */
  StopText(@Nullable String text) {
    stop = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
    newest = new byte[stop.length];
  }

  /** Takes the next byte and tells whether the bytes so far end with the text. */
  boolean endsWith(byte next) {
    if (stop.length == 0) {
      return false;
    }
    System.arraycopy(newest, 1, newest, 0, newest.length - 1);
    newest[newest.length - 1] = next;
    seen++; // keeps zero bytes from matching the unfilled array
    return seen >= stop.length && Arrays.equals(newest, stop);
  }
}
