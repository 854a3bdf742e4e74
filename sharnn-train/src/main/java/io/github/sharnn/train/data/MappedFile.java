package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import io.github.sharnn.io.Interrupts;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A file of any length, or a range of one, which must not change while it is in use. A small file
 * is read, because a process may map only some ten thousand files. A larger one is memory-mapped.
 */
final class MappedFile {

  private static final int MAP_BITS = 30; // a buffer must be smaller than 2 GiB
  private static final long MAP_BYTES = 1L << MAP_BITS;
  private static final int CHUNK_BYTES = 1 << 16;
  private static final int READ_BYTES = 1 << 16; // a file of up to so many bytes is read

  private final Path path;
  private final long start; // in the maps
  private final long length;
  private final @Nullable String sha256; // null: not known yet
  private final List<ByteBuffer> maps;

  private MappedFile(
      Path path, long start, long length, @Nullable String sha256, List<ByteBuffer> maps) {
    this.path = path;
    this.start = start;
    this.length = length;
    this.sha256 = sha256;
    this.maps = maps;
  }

  /** Checks that a corpus is one file that is not empty, and returns its length. */
  static long length(Path file) throws IOException {
    if (Files.notExists(file)) {
      throw new NoSuchFileException(file.toString(), null, "the corpus file does not exist");
    }
    checkArgument(
        Files.isRegularFile(file),
        "the corpus must be one file, but %s is %s",
        file,
        Files.isDirectory(file) ? "a folder" : "not a regular file; copy its content into a file");
    long length = Files.size(file);
    checkArgument(length > 0, "the corpus %s is empty", file);
    return length;
  }

  static MappedFile open(Path path) throws IOException {
    return open(path, null);
  }

  /** Maps a file with a known hash. */
  static MappedFile open(Path path, @Nullable String sha256) throws IOException {
    return Interrupts.defer(() -> map(path, sha256));
  }

  private static MappedFile map(Path path, @Nullable String sha256) throws IOException {
    try (FileChannel channel = FileChannel.open(path)) {
      long length = channel.size();
      List<ByteBuffer> maps = new ArrayList<>();
      if (length <= READ_BYTES) {
        channel.map(FileChannel.MapMode.READ_ONLY, 0, 0); // fails as for a larger file
        maps.add(ByteBuffer.wrap(Channels.newInputStream(channel).readAllBytes()));
        return new MappedFile(path, 0, maps.get(0).limit(), sha256, maps);
      }
      for (long from = 0; from < length; from += MAP_BYTES) {
        long size = Math.min(MAP_BYTES, length - from);
        maps.add(channel.map(FileChannel.MapMode.READ_ONLY, from, size));
      }
      return new MappedFile(path, 0, length, sha256, maps);
    } catch (UnsupportedOperationException e) {
      throw new IOException(
          lenientFormat(
              "%s can't be mapped into memory, since its file system is a %s: copy it to a file on disk"
                  + " and open that",
              path, path.getFileSystem().getClass().getSimpleName()),
          e);
    }
  }

  /** Returns a range of this file as a file of its own, with a known hash. */
  MappedFile range(long from, long bytes, String hash) {
    return new MappedFile(path, start + from, bytes, hash, maps);
  }

  Path path() {
    return path;
  }

  long length() {
    return length;
  }

  String sha256() throws IOException {
    return sha256 == null ? CorpusHash.of(path) : sha256;
  }

  void read(long from, byte[] target, int offset, int count) {
    int done = 0;
    while (done < count) {
      long at = start + from + done;
      ByteBuffer map = maps.get((int) (at >>> MAP_BITS));
      int position = (int) (at & (MAP_BYTES - 1));
      int some = Math.min(count - done, map.limit() - position);
      map.get(position, target, offset + done, some);
      done += some;
    }
  }

  /** A receiver of the first {@code count} bytes of an array. */
  interface Chunks<E extends Exception> {
    void accept(byte[] chunk, int count) throws E;
  }

  /**
   * Reads a range in chunks, each at the start of the same array.
   *
   * @throws java.util.concurrent.CancellationException if the thread is interrupted
   */
  <E extends Exception> void forEachChunk(long first, long bytes, Chunks<E> chunks) throws E {
    byte[] chunk = new byte[(int) Math.min(CHUNK_BYTES, bytes)]; // short for a line
    for (long from = 0; from < bytes; from += CHUNK_BYTES) {
      Interrupts.check();
      int count = (int) Math.min(CHUNK_BYTES, bytes - from);
      read(first + from, chunk, 0, count);
      chunks.accept(chunk, count);
    }
  }
}
