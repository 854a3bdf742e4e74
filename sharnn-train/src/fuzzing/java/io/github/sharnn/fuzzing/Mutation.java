package io.github.sharnn.fuzzing;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;

/** Good bytes with a few things wrong: bits, lengths, numbers, words, order. */
public final class Mutation {

  private static final long[] NUMBERS = {
    0,
    1,
    -1,
    2,
    7,
    8,
    9,
    127,
    128,
    255,
    256,
    999,
    1000,
    65_535,
    1 << 20,
    1_000_000_000,
    Integer.MAX_VALUE,
    Integer.MAX_VALUE + 1L,
    Integer.MIN_VALUE,
    1L << 32,
    1L << 53,
    1L << 62,
    Long.MAX_VALUE,
    Long.MIN_VALUE
  };

  private static final String[] WORDS = {
    "F64",
    "F32",
    "F16",
    "BF16",
    "I64",
    "I32",
    "I8",
    "U8",
    "BOOL",
    "C64",
    "F8_E4M3",
    "FLOAT32",
    "FLOAT16",
    "FLOAT64",
    "BFLOAT16",
    "STRING",
    "BOOLEAN",
    "UNKNOWN",
    "INT32",
    "COMPLEX64",
    "DENSE",
    "COO",
    "true",
    "false",
    "null",
    "NaN",
    "{",
    "}",
    "[",
    "]",
    "[]",
    "{}",
    ",",
    ":",
    "\"",
    "\\u0000",
    "shape",
    "dtype",
    "data_offsets",
    "__metadata__",
    "../",
    "1e9",
    "0.5",
    "-1",
    "NDAR",
    "DJL@"
  };

  private final Random random;
  private byte[] bytes;

  private Mutation(byte[] good, Random random) {
    this.bytes = good.clone();
    this.random = random;
  }

  /** One, two or four changes. */
  public static byte[] of(byte[] good, Random random) {
    Mutation mutation = new Mutation(good, random);
    int changes = 1 << random.nextInt(3);
    for (int i = 0; i < changes; i++) {
      mutation.change();
    }
    return mutation.bytes;
  }

  private void change() {
    int at = position();
    int end = Math.min(bytes.length, at + 1 + random.nextInt(1 << random.nextInt(10)));
    switch (random.nextInt(10)) {
      case 0 -> flipBit(at);
      case 1 -> overwrite(at, new byte[] {(byte) random.nextInt()});
      case 2 -> bytes = Arrays.copyOf(bytes, at);
      case 3 -> replace(at, end, new byte[0]);
      case 4 -> replace(at, at, Arrays.copyOfRange(bytes, at, end));
      case 5 -> overwrite(position(), Arrays.copyOfRange(bytes, at, end));
      case 6 -> overwrite(at, binaryNumber());
      case 7 -> replaceDigits(at);
      case 8 -> replaceWord(at);
      default -> replace(at, at, text(WORDS[random.nextInt(WORDS.length)]));
    }
  }

  /** Anywhere, and as often near the start, where the formats' own numbers are. */
  private int position() {
    int limit = random.nextBoolean() ? bytes.length : random.nextInt(bytes.length + 1);
    return random.nextInt(limit + 1);
  }

  private void flipBit(int at) {
    if (at < bytes.length) {
      bytes[at] ^= (byte) (1 << random.nextInt(8));
    }
  }

  private void overwrite(int at, byte[] with) {
    System.arraycopy(with, 0, bytes, at, Math.min(with.length, bytes.length - at));
  }

  private void replace(int from, int to, byte[] with) {
    byte[] replaced = new byte[bytes.length - (to - from) + with.length];
    System.arraycopy(bytes, 0, replaced, 0, from);
    System.arraycopy(with, 0, replaced, from, with.length);
    System.arraycopy(bytes, to, replaced, from + with.length, bytes.length - to);
    bytes = replaced;
  }

  private byte[] binaryNumber() {
    ByteOrder order = random.nextBoolean() ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    ByteBuffer buffer = ByteBuffer.allocate(Long.BYTES).order(order);
    long number = NUMBERS[random.nextInt(NUMBERS.length)];
    return switch (random.nextInt(3)) {
      case 0 -> Arrays.copyOf(buffer.putShort((short) number).array(), Short.BYTES);
      case 1 -> Arrays.copyOf(buffer.putInt((int) number).array(), Integer.BYTES);
      default -> buffer.putLong(number).array();
    };
  }

  /** The next number written in digits becomes another one. */
  private void replaceDigits(int at) {
    int from = at;
    while (from < bytes.length && !isDigit(bytes[from])) {
      from++;
    }
    int to = from;
    while (to < bytes.length && isDigit(bytes[to])) {
      to++;
    }
    replace(from, to, text(Long.toString(NUMBERS[random.nextInt(NUMBERS.length)])));
  }

  private static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }

  /** The next of some word becomes another one. */
  private void replaceWord(int at) {
    byte[] word = text(WORDS[random.nextInt(WORDS.length)]);
    for (int i = at; i <= bytes.length - word.length; i++) {
      if (Arrays.equals(bytes, i, i + word.length, word, 0, word.length)) {
        replace(i, i + word.length, text(WORDS[random.nextInt(WORDS.length)]));
        return;
      }
    }
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
