package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.ImmutableLongArray;
import io.github.sharnn.vocabulary.WordCount;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The text of a part: a range of a file's bytes.
 *
 * @param ends the end of each document, counted from the start of the range, or null without
 *     documents
 */
record TextRange(
    String name, MappedFile file, long start, long bytes, @Nullable ImmutableLongArray ends) {

  static final List<String> PARTS = List.of("training", "validation", "test");

  /** Opens a whole file as one part. */
  static TextRange whole(String name, Path file) throws IOException {
    long length = MappedFile.length(file);
    checkArgument(
        length >= 2, "each part of a corpus needs at least 2 bytes, but %s has %s", file, length);
    return new TextRange(name, MappedFile.open(file), 0, length, null);
  }

  void read(long from, byte[] target, int offset, int count) {
    file.read(start + from, target, offset, count);
  }

  void forEachChunk(MappedFile.Chunks<RuntimeException> chunks) {
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
    long words = 0;
    for (TextRange document : documents()) {
      WordCount count = new WordCount();
      document.forEachChunk((chunk, length) -> count.write(chunk, 0, length));
      words += count.words();
    }
    return words;
  }

  /** Returns the range of some documents. */
  TextRange documents(int from, int to) {
    long begin = from == 0 ? 0 : ends.get(from - 1);
    ImmutableLongArray.Builder own = ImmutableLongArray.builder(to - from);
    ends.subArray(from, to).forEach(end -> own.add(end - begin));
    return new TextRange(name, file, start + begin, ends.get(to - 1) - begin, own.build());
  }

  /** Returns the documents, or the whole range without documents. */
  Iterable<TextRange> documents() {
    if (ends == null) {
      return List.of(this);
    }
    return () -> IntStream.range(0, ends.length()).mapToObj(i -> documents(i, i + 1)).iterator();
  }

  String fileSha256() throws IOException {
    return file.sha256();
  }

  @Override
  public String toString() {
    String documents =
        ends == null ? "" : String.format(Locale.ROOT, ", %,d documents", ends.length());
    return String.format(
        Locale.ROOT, "%s part of %s (%,d bytes%s)", name, file.path(), bytes, documents);
  }
}
