package io.github.sharnn.vocabulary;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hashing;
import java.util.function.IntConsumer;

/** The vocabulary of bytes. Token n is the byte n; its name is that character of ISO 8859-1. */
final class ByteVocabulary implements TextVocabulary {

  static final String KIND = "bytes";
  static final ByteVocabulary INSTANCE = new ByteVocabulary();

  private static final int SIZE = 256;

  private ByteVocabulary() {}

  @Override
  public String kind() {
    return KIND;
  }

  @Override
  public boolean lossless() {
    return true;
  }

  @Override
  public TokenEncoder encoder(IntConsumer tokens) {
    return new TokenEncoder() {
      @Override
      public void write(byte[] text, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
          tokens.accept(Byte.toUnsignedInt(text[i]));
        }
      }

      @Override
      public void flush() {
        // holds nothing back
      }

      @Override
      public long lostBytes() {
        return 0;
      }
    };
  }

  @Override
  public TokenDecoder decoder() {
    return token -> new byte[] {(byte) check(token)};
  }

  @Override
  public byte[] content() {
    return new byte[0];
  }

  @Override
  public String sha256() {
    return Hashing.sha256().hashBytes(content()).toString();
  }

  @Override
  public String getToken(long index) {
    return String.valueOf((char) check(index));
  }

  @Override
  public boolean contains(String token) {
    return token.length() == 1 && token.charAt(0) < SIZE;
  }

  @Override
  public long getIndex(String token) {
    checkArgument(
        contains(token), "a byte must be a character from U+0000 to U+00FF, but is '%s'", token);
    return token.charAt(0);
  }

  @Override
  public long size() {
    return SIZE;
  }

  private static long check(long token) {
    checkArgument(
        token >= 0 && token < SIZE, "a token must be a byte from 0 to 255, but is %s", token);
    return token;
  }

  @Override
  public String toString() {
    return KIND;
  }
}
