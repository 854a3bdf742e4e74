package io.github.sharnn.train.data;

import com.google.common.hash.Hashing;
import com.google.common.hash.HashingOutputStream;
import com.google.common.primitives.ImmutableLongArray;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A temporary file of documents, written one after another. It is deleted when the process ends.
 */
final class Spool implements Closeable {

  private static final int BUFFER_BYTES = 1 << 16;

  private final Path path;
  private final HashingOutputStream hashed;
  private final OutputStream out;
  private final ImmutableLongArray.Builder ends = ImmutableLongArray.builder();
  private long length;

  Spool() throws IOException {
    path = Files.createTempFile("sharnn-corpus-", ".txt");
    path.toFile().deleteOnExit();
    hashed = new HashingOutputStream(Hashing.sha256(), Files.newOutputStream(path));
    out = new BufferedOutputStream(hashed, BUFFER_BYTES);
  }

  /** Copies a stream to its end. */
  static MappedFile copy(InputStream in) throws IOException {
    try (Spool spool = new Spool()) {
      in.transferTo(spool.out);
      return spool.map();
    }
  }

  /** Appends a document. */
  void add(MappedFile file, long from, long bytes) throws IOException {
    try {
      file.forEachChunk(
          from,
          bytes,
          (chunk, count) -> {
            try {
              out.write(chunk, 0, count);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    length += bytes;
    ends.add(length);
  }

  /** Returns the ends of the documents so far. */
  ImmutableLongArray ends() {
    return ends.build();
  }

  /** Closes the file and maps it. */
  MappedFile map() throws IOException {
    out.close();
    return MappedFile.open(path, hashed.hash().toString());
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
