package io.github.sharnn.tokenizers;

import static io.github.sharnn.tokenizers.Fields.require;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.Queue;

/**
 * The {@code precompiled_charsmap} of SentencePiece: the size of a trie in bytes, the trie as a
 * double array of 32-bit units, and the replacements, each followed by a zero byte. The native
 * library follows the units without a check and ends the process at one that leads outside.
 */
final class Charsmap {

  /** The largest growth of a text, in bytes: U+FDFA becomes 18 characters. */
  static final int GROWTH = 12;

  private static final int MAX_BYTES = 1 << 20; // that of T5 has 240,007
  private static final int MAX_PLACES = 1 << 19;

  private final int[] units;
  private final byte[] replacements;
  private final BitSet seen = new BitSet(); // several ways may lead to a place
  private int places;

  /** The kind of the bytes that lead to a place: ASCII with or without letters and digits. */
  private enum Key {
    NO_WORD,
    WORD,
    NOT_ASCII;

    Key with(int label) {
      return this == NOT_ASCII || label >= 0x80
          ? NOT_ASCII
          : SafeComponents.WORD.matches((char) label) ? WORD : this;
    }
  }

  /** A place in the trie: where its children begin, and the bytes that lead to it. */
  private record Node(int base, int depth, int left, Key key) {}

  private Charsmap(int[] units, byte[] replacements) {
    this.units = units;
    this.replacements = replacements;
  }

  /** Checks every unit that a text can lead to, and returns the map in canonical Base64. */
  static String check(String base64) throws IOException {
    byte[] bytes;
    try {
      bytes = Base64.getDecoder().decode(base64);
    } catch (IllegalArgumentException e) {
      throw new IOException(
          "this is no tokenizer.json that is safe to use: its precompiled_charsmap is not Base64",
          e);
    }
    require(
        bytes.length >= 2 * Integer.BYTES && bytes.length <= MAX_BYTES,
        "its precompiled_charsmap must have from 8 to %s bytes, but has %s",
        MAX_BYTES,
        bytes.length);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int size = buffer.getInt();
    require(
        size > 0 && size % Integer.BYTES == 0 && size <= buffer.remaining(),
        "the trie of its precompiled_charsmap must have from 4 to %s bytes, in fours, but has %s",
        buffer.remaining(),
        Integer.toUnsignedString(size));
    IntBuffer trie = buffer.slice(Integer.BYTES, size).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
    int[] units = new int[trie.remaining()];
    trie.get(units);
    byte[] replacements = Arrays.copyOfRange(bytes, Integer.BYTES + size, bytes.length);
    require(isUtf8(replacements), "the replacements of its precompiled_charsmap must be UTF-8");
    new Charsmap(units, replacements).check();
    return Base64.getEncoder().encodeToString(bytes);
  }

  /** Visits each place at its least depth, so that each growth is the largest one. */
  private void check() throws IOException {
    Queue<Node> open = new ArrayDeque<>();
    open.add(new Node(offset(units[0]), 0, 0, Key.NO_WORD));
    while (!open.isEmpty()) {
      Node node = open.remove();
      for (int label = 1; label <= 0xFF; label++) {
        int at = node.base ^ label;
        checkUnit(at);
        int left = bytesLeft(node.left, label);
        Key key = node.key.with(label);
        int state = (at << 2 | Math.max(left, 0)) * Key.values().length + key.ordinal();
        if ((units[at] & (1 << 31 | 0xFF)) == label && left >= 0 && !seen.get(state)) {
          seen.set(state);
          places++;
          require(
              places <= MAX_PLACES,
              "the trie of its precompiled_charsmap may have at most %s places",
              MAX_PLACES);
          int base = at ^ offset(units[at]);
          if ((units[at] >>> 8 & 1) == 1) {
            checkUnit(base);
            require(left == 0, "its precompiled_charsmap must replace whole characters");
            checkReplacement(node.depth + 1, key, units[base] & Integer.MAX_VALUE);
          }
          open.add(new Node(base, node.depth + 1, left, key));
        }
      }
    }
  }

  /** Returns how many bytes of a UTF-8 character are left after a byte, or -1 if none has it. */
  private static int bytesLeft(int before, int label) {
    boolean continues = (label & 0xC0) == 0x80;
    if (before > 0) {
      return continues ? before - 1 : -1;
    }
    return continues ? -1 : label < 0x80 ? 0 : label < 0xE0 ? 1 : label < 0xF0 ? 2 : 3;
  }

  private void checkUnit(int at) throws IOException {
    require(
        at >= 0 && at < units.length,
        "its precompiled_charsmap leads to unit %s, but has only %s",
        at,
        units.length);
  }

  private void checkReplacement(int length, Key key, int from) throws IOException {
    int to = from;
    while (to < replacements.length && replacements[to] != 0) {
      to++;
    }
    require(
        to < replacements.length
            && (replacements[from] & 0xC0) != 0x80
            && to - from <= GROWTH * length,
        "its precompiled_charsmap must replace by whole characters, in at most %s times the bytes",
        GROWTH);
    String replacement = new String(replacements, from, to - from, StandardCharsets.UTF_8);
    require( // an added token must not become empty
        key != Key.WORD || SafeComponents.WORD.matchesAnyOf(replacement),
        "its precompiled_charsmap must keep ASCII letters and digits, but replaces some by '%s'",
        replacement);
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & 1 << 9) >>> 6);
  }

  private static boolean isUtf8(byte[] bytes) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }
}
