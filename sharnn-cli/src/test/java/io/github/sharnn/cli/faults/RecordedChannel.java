package io.github.sharnn.cli.faults;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/** A channel that records its changes, to a file or, to force it, to a folder. */
final class RecordedChannel extends FileChannel {

  private final RecordedFileSystem system;
  private final int number;
  private final String path;
  private final @Nullable FileChannel target; // null for a folder

  RecordedChannel(
      RecordedFileSystem system, int number, String path, @Nullable FileChannel target) {
    this.system = system;
    this.number = number;
    this.path = path;
    this.target = target;
  }

  @Override
  public int read(ByteBuffer bytes) throws IOException {
    return target.read(bytes);
  }

  @Override
  public int read(ByteBuffer bytes, long position) throws IOException {
    return target.read(bytes, position);
  }

  @Override
  public long read(ByteBuffer[] buffers, int offset, int length) throws IOException {
    return target.read(buffers, offset, length);
  }

  @Override
  public int write(ByteBuffer bytes) throws IOException {
    long at = target.position();
    int count = write(bytes, at);
    target.position(at + count);
    return count;
  }

  @Override
  public int write(ByteBuffer bytes, long position) throws IOException {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    system.change("write " + path, disk -> disk.write(number, position, copy));
    return target.write(bytes, position);
  }

  @Override
  public long write(ByteBuffer[] buffers, int offset, int length) throws IOException {
    long count = 0;
    for (int i = offset; i < offset + length; i++) {
      count += write(buffers[i]);
    }
    return count;
  }

  @Override
  public long position() throws IOException {
    return target.position();
  }

  @Override
  public FileChannel position(long position) throws IOException {
    target.position(position);
    return this;
  }

  @Override
  public long size() throws IOException {
    return target.size();
  }

  @Override
  public FileChannel truncate(long size) throws IOException {
    system.change("truncate " + path, disk -> disk.truncate(number, size));
    target.truncate(size);
    return this;
  }

  @Override
  public void force(boolean metadata) throws IOException {
    if (target == null) {
      system.change("force folder " + path, disk -> disk.forceFolder(path));
    } else {
      system.change("force " + path, disk -> disk.force(number));
    }
  }

  @Override
  public long transferTo(long position, long count, WritableByteChannel to) throws IOException {
    return target.transferTo(position, count, to);
  }

  @Override
  public long transferFrom(ReadableByteChannel from, long position, long count) {
    throw new UnsupportedOperationException();
  }

  @Override
  public MappedByteBuffer map(MapMode mode, long position, long size) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileLock lock(long position, long size, boolean shared) throws IOException {
    return target.lock(position, size, shared);
  }

  @Override
  public FileLock tryLock(long position, long size, boolean shared) throws IOException {
    return target.tryLock(position, size, shared);
  }

  @Override
  protected void implCloseChannel() throws IOException {
    if (target != null) {
      target.close();
    }
  }
}
