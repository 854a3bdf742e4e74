package io.github.sharnn.generate;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** A detector of stop texts in a stream of bytes. */
final class StopText {

  private final List<byte[]> stops;
  private final byte[] newest; // as long as the longest stop text
  private int seen;

  /** Looks for texts as UTF-8, none of them empty. */
  StopText(List<String> texts) {
    stops = texts.stream().map(text -> text.getBytes(StandardCharsets.UTF_8)).toList();
    newest = new byte[stops.stream().mapToInt(stop -> stop.length).max().orElse(0)];
  }

  /** Takes the next byte and tells whether the bytes so far end with one of the texts. */
  boolean endsWith(byte next) {
    if (newest.length == 0) {
      return false;
    }
    System.arraycopy(newest, 1, newest, 0, newest.length - 1);
    newest[newest.length - 1] = next;
    seen = Math.min(seen + 1, newest.length); // keeps zero bytes from matching the unfilled array
    return stops.stream().anyMatch(this::endsWith);
  }

  private boolean endsWith(byte[] stop) {
    int from = newest.length - stop.length;
    return seen >= stop.length && Arrays.equals(newest, from, newest.length, stop, 0, stop.length);
  }
}
