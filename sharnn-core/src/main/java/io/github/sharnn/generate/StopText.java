package io.github.sharnn.generate;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Watches bytes go by for the text that ends generation. */
final class StopText {

  private final byte[] stop; // empty: none
  private final byte[] newest;
  private int seen;

  /** Watches for a text as UTF-8, or for nothing if it is null. */
  StopText(String text) {
    stop = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
    newest = new byte[stop.length];
  }

  /** Whether the bytes so far and this one end with the text. */
  boolean endsWith(byte next) {
    if (stop.length == 0) {
      return false;
    }
    System.arraycopy(newest, 1, newest, 0, newest.length - 1);
    newest[newest.length - 1] = next;
    seen++; // a stop of zero bytes must not match before there are as many
    return seen >= stop.length && Arrays.equals(newest, stop);
  }
}
