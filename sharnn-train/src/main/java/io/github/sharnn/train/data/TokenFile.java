package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.util.Utils;
import com.google.common.hash.HashCode;
import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import com.google.common.io.LittleEndianDataOutputStream;
import com.google.common.primitives.ImmutableLongArray;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenEncoder;
import io.github.sharnn.vocabulary.WordCount;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.LongStream;
import java.util.zip.CRC32C;
import java.util.zip.CheckedOutputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A memory-mapped file with the tokens of a part, in DJL's cache folder. The file is written once
 * per part and vocabulary. Its name is a hash of both.
 *
 * <p>The format is little-endian:
 *
 * <ol>
 *   <li>{@code SHARNNTF}
 *   <li>the version and the bytes per token, 32 bits each
 *   <li>the SHA-256 of the vocabulary and of the part
 *   <li>the number of bytes, tokens, words and lost bytes of the part, 64 bits each
 *   <li>the CRC-32C of the tokens, then of everything before it
 *   <li>the number of documents, 64 bits; 0 for a continuous text
 *   <li>the tokens, 1, 2 or 4 bytes each
 *   <li>the end of each document, in tokens, 64 bits each
 * </ol>
 *
 * @param width bytes per token
 * @param ends the end of each document in tokens, or null without documents
 */
record TokenFile(
    MappedFile file, int width, Perplexity.Units units, @Nullable ImmutableLongArray ends) {

  private static final Logger LOGGER = LoggerFactory.getLogger(TokenFile.class);
  private static final byte[] MAGIC = "SHARNNTF".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION =
      3; // raise it if the format or the tokens of any encoder change
  private static final int HEADER_BYTES = 128;
  private static final int SUMMED_HEADER_BYTES = 116;
  private static final int HASH_BYTES = 32;
  private static final int BUFFER_BYTES = 1 << 16;

  /** Opens the tokens of a part, and writes them first if the cache has none. */
  static TokenFile of(TextRange text, TextVocabulary vocabulary) throws IOException {
    String content =
        lenientFormat(
            "%s %s %s%s", text.fileSha256(), text.start(), text.bytes(), hash(text.ends()));
    HashCode part = Hashing.sha256().hashString(content, StandardCharsets.US_ASCII);
    String key = part + vocabulary.property() + VERSION;
    String name = Hashing.sha256().hashString(key, StandardCharsets.US_ASCII).toString();
    Path path = Utils.getCacheDir().resolve("sharnn").resolve(name + ".tokens");
    byte[] partHash = part.asBytes();
    if (!Files.exists(path)) {
      try {
        write(path, text, partHash, vocabulary);
      } catch (IOException e) {
        throw new IOException(
            lenientFormat(
                "can't write the tokens of the %s: %s; set DJL_CACHE_DIR to a writable folder with free space",
                text, e),
            e);
      }
    }
    TokenFile tokens = open(path, partHash, vocabulary);
    checkArgument(
        tokens.units().tokens() >= 2,
        "each part of a corpus needs at least 2 tokens, one to read and one to predict, but as %s the"
            + " %s yields %s: use a longer corpus or another vocabulary",
        vocabulary,
        text,
        tokens.units().tokens());
    return tokens;
  }

  /** Identifies the boundaries of documents. */
  private static String hash(@Nullable ImmutableLongArray ends) {
    if (ends == null) {
      return "";
    }
    Hasher hasher = Hashing.sha256().newHasher();
    ends.forEach(hasher::putLong);
    return " " + hasher.hash();
  }

  private static int width(TextVocabulary vocabulary) {
    if (vocabulary.size() <= 1 << 8) {
      return 1;
    }
    return vocabulary.size() <= 1 << 16 ? 2 : 4;
  }

  private static byte[] hash(TextVocabulary vocabulary) {
    return HexFormat.of().parseHex(vocabulary.sha256());
  }

  private static void write(Path path, TextRange text, byte[] partHash, TextVocabulary vocabulary)
      throws IOException {
    LOGGER.info("encoding the {} as {}, into {}", text, vocabulary, path);
    Files.createDirectories(path.getParent());
    AtomicFile.deleteAbandoned(path.getParent());
    try {
      Interrupts.check(); // a long text is not encoded twice
      AtomicFile.write(
          path,
          channel -> {
            try {
              write(channel, text, partHash, vocabulary);
            } catch (ClosedByInterruptException e) {
              throw new UncheckedIOException(e);
            }
          });
    } catch (UncheckedIOException e) { // the writer of tokens throws no other
      Interrupts.check();
      throw e.getCause();
    }
  }

  private static void write(
      FileChannel channel, TextRange text, byte[] partHash, TextVocabulary vocabulary)
      throws IOException {
    int width = width(vocabulary);
    CRC32C sum = new CRC32C();
    OutputStream summed = new CheckedOutputStream(Channels.newOutputStream(channel), sum);
    LittleEndianDataOutputStream out =
        new LittleEndianDataOutputStream(new BufferedOutputStream(summed, BUFFER_BYTES));
    channel.position(HEADER_BYTES);
    long words = 0;
    long lostBytes = 0;
    long[] tokens = {0};
    ImmutableLongArray.Builder ends = ImmutableLongArray.builder();
    for (TextRange document : text.documents()) {
      TokenEncoder encoder =
          vocabulary.encoder(
              token -> {
                write(out, token, width, vocabulary);
                tokens[0]++;
              });
      WordCount count = new WordCount();
      document.forEachChunk(
          (chunk, length) -> {
            encoder.write(chunk, 0, length);
            count.write(chunk, 0, length);
          });
      encoder.end();
      words += count.words();
      lostBytes = lostBytes < 0 || encoder.lostBytes() < 0 ? -1 : lostBytes + encoder.lostBytes();
      ends.add(tokens[0]);
    }
    ImmutableLongArray documents = text.ends() == null ? ImmutableLongArray.of() : ends.build();
    for (int i = 0; i < documents.length(); i++) {
      out.writeLong(documents.get(i));
    }
    out.flush();
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    header.put(MAGIC).putInt(VERSION).putInt(width);
    header.put(hash(vocabulary)).put(partHash);
    header.putLong(text.bytes()).putLong(tokens[0]);
    header.putLong(words).putLong(lostBytes);
    header.putInt((int) sum.getValue());
    header.putInt(headerSum(header.array())).putLong(documents.length()).rewind();
    channel.write(header, 0);
  }

  private static void write(
      LittleEndianDataOutputStream out, int token, int width, TextVocabulary vocabulary) {
    checkState(
        token >= 0 && token < vocabulary.size(),
        "the tokens of %s must be from 0 to %s, but its encoder gave %s",
        vocabulary,
        vocabulary.size() - 1,
        token);
    try {
      switch (width) {
        case 1 -> out.writeByte(token);
        case 2 -> out.writeShort(token);
        default -> out.writeInt(token);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int headerSum(byte[] header) {
    CRC32C sum = new CRC32C();
    sum.update(header, 0, SUMMED_HEADER_BYTES);
    return (int) sum.getValue();
  }

  /** Opens a file and checks every byte of it. */
  static TokenFile open(Path path, byte[] partHash, TextVocabulary vocabulary) throws IOException {
    check(Files.isRegularFile(path), path, "it is not a regular file");
    MappedFile file = MappedFile.open(path);
    check(file.length() >= HEADER_BYTES, path, "it is too short");
    byte[] bytes = new byte[HEADER_BYTES];
    file.read(0, bytes, 0, HEADER_BYTES);
    ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    byte[] magic = new byte[MAGIC.length];
    header.get(magic);
    check(Arrays.equals(magic, MAGIC), path, "it has a wrong signature");
    check(header.getInt() == VERSION, path, "it was written by another version of this library");
    check(header.getInt(SUMMED_HEADER_BYTES) == headerSum(bytes), path, "its header is damaged");
    int width = header.getInt();
    byte[] hash = new byte[HASH_BYTES];
    header.get(hash);
    check(
        Arrays.equals(hash, hash(vocabulary)) && width == width(vocabulary),
        path,
        lenientFormat(
            "it is of another vocabulary, SHA-256 %s, not of %s, SHA-256 %s",
            HexFormat.of().formatHex(hash), vocabulary, vocabulary.sha256()));
    header.get(hash);
    check(Arrays.equals(hash, partHash), path, "it is of another text");
    Perplexity.Units units =
        new Perplexity.Units(
            header.getLong(), header.getLong(), header.getLong(), header.getLong());
    long documents = header.getLong(HEADER_BYTES - Long.BYTES);
    check(
        documents >= 0
            && documents <= (file.length() - HEADER_BYTES) / Long.BYTES
            && file.length() - HEADER_BYTES == units.tokens() * width + documents * Long.BYTES,
        path,
        lenientFormat(
            "it should have %s tokens of %s bytes and %s documents, but has %s bytes",
            units.tokens(), width, documents, file.length()));
    check(header.getInt() == sum(file), path, "its tokens are damaged");
    return new TokenFile(file, width, units, documents == 0 ? null : ends(file, documents));
  }

  private static ImmutableLongArray ends(MappedFile file, long documents) {
    byte[] end = new byte[Long.BYTES];
    ByteBuffer buffer = ByteBuffer.wrap(end).order(ByteOrder.LITTLE_ENDIAN);
    return ImmutableLongArray.copyOf(
        LongStream.rangeClosed(1, documents)
            .map(
                i -> {
                  file.read(file.length() - (documents + 1 - i) * Long.BYTES, end, 0, end.length);
                  return buffer.getLong(0);
                }));
  }

  private static int sum(MappedFile file) {
    CRC32C sum = new CRC32C();
    file.forEachChunk(
        HEADER_BYTES, file.length() - HEADER_BYTES, (chunk, count) -> sum.update(chunk, 0, count));
    return (int) sum.getValue();
  }

  private static void check(boolean condition, Path path, String problem) throws IOException {
    if (!condition) {
      throw new IOException(
          lenientFormat(
              "%s is not the expected token file: %s; delete this file; the library writes it again",
              path, problem));
    }
  }

  void read(long from, int[] target) {
    byte[] bytes = new byte[target.length * width];
    file.read(HEADER_BYTES + from * width, bytes, 0, bytes.length);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < target.length; i++) {
      target[i] =
          switch (width) {
            case 1 -> Byte.toUnsignedInt(buffer.get());
            case 2 -> Short.toUnsignedInt(buffer.getShort());
            default -> buffer.getInt();
          };
    }
  }
}
