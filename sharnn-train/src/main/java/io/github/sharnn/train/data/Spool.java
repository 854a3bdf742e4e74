package io.github.sharnn.train.data;

import com.google.common.hash.Hashing;
import com.google.common.hash.HashingInputStream;
import com.google.common.hash.HashingOutputStream;
import com.google.common.primitives.ImmutableLongArray;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A temporary file of documents or texts, one after another, deleted when the process ends. */
final class Spool implements Closeable {

  private static final int BUFFER_BYTES = 1 << 16;

  private final Path path;
  private final HashingOutputStream hashed;
  private final OutputStream out;
  private final ImmutableLongArray.Builder ends = ImmutableLongArray.builder();
  private long length;
  private @Nullable MappedFile mapped;

  Spool() throws IOException {
    path = Files.createTempFile("sharnn-corpus-", ".txt");
    path.toFile().deleteOnExit();
    hashed = new HashingOutputStream(Hashing.sha256(), Files.newOutputStream(path));
    out = new BufferedOutputStream(hashed, BUFFER_BYTES);
  }

  /** Appends a stream to its end, and returns its SHA-256. */
  String add(InputStream in) throws IOException {
    HashingInputStream source = new HashingInputStream(Hashing.sha256(), in);
    length += source.transferTo(out);
    return source.hash().toString();
  }

  /** Appends a document. */
  void add(MappedFile file, long from, long bytes) throws IOException {
    file.forEachChunk(from, bytes, (chunk, count) -> out.write(chunk, 0, count));
    length += bytes;
    ends.add(length);
  }

  /** Returns the ends of the documents so far. */
  ImmutableLongArray ends() {
    return ends.build();
  }

  /** Returns the number of bytes so far. */
  long length() {
    return length;
  }

  /** Returns true once the file is closed and mapped. */
  boolean isMapped() {
    return mapped != null;
  }

  /** Closes the file and maps it. */
  MappedFile map() throws IOException {
    if (mapped == null) {
      out.close();
      mapped = MappedFile.open(path, hashed.hash().toString());
    }
    return mapped;
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
