package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.vocabulary.WordCount;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.ObjIntConsumer;

/** The text of a part: a range of a file's bytes. */
record TextRange(String name, MappedFile file, long start, long bytes) {

  static final List<String> PARTS = List.of("training", "validation", "test");

  /** Opens a whole file as one part. */
  static TextRange whole(String name, Path file) throws IOException {
    long length = MappedFile.length(file);
    checkArgument(
        length >= 2, "each part of a corpus needs at least 2 bytes, but %s has %s", file, length);
    return new TextRange(name, MappedFile.open(file), 0, length);
  }

  void read(long from, byte[] target, int offset, int count) {
    file.read(start + from, target, offset, count);
  }

  void forEachChunk(ObjIntConsumer<byte[]> chunks) {
    file.forEachChunk(start, bytes, chunks);
  }

  InputStream open() {
    return new InputStream() {
      private long position;

      @Override
      public int read() {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
      }

      @Override
      public int read(byte[] target, int offset, int length) {
        int count = (int) Math.min(length, bytes - position);
        if (count <= 0) {
          return length == 0 ? 0 : -1;
        }
        TextRange.this.read(position, target, offset, count);
        position += count;
        return count;
      }
    };
  }

  long countWords() {
    WordCount words = new WordCount();
    forEachChunk((chunk, count) -> words.write(chunk, 0, count));
    return words.words();
  }

  String fileSha256() throws IOException {
    return CorpusHash.of(file.path());
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%s part of %s (%,d bytes)", name, file.path(), bytes);
  }
}
