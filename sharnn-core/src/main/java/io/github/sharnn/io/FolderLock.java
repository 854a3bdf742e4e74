package io.github.sharnn.io;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A lock on a folder against other processes. The operating system releases it when the process
 * ends, even after a kill.
 *
 * <p>The lock is a lock of a file in the folder. This class never writes to an existing file and
 * follows no link.
 */
public final class FolderLock implements Closeable {

  private static final Logger LOGGER = LoggerFactory.getLogger(FolderLock.class);

  /** The name of the file of a run's lock. */
  public static final String RUN = ".lock";

  private static final String SAVE = ".save-lock";
  private static final Duration PAUSE = Duration.ofMillis(20);
  private static final int ID_BYTES = 36;
  private static final long LOCKED_BYTE = Long.MAX_VALUE - 1; // readers on Windows need the others

  /** The locks of this process. A second channel to a locked file would release it when closed. */
  private static final Map<Path, FolderLock> HELD = new HashMap<>();

  private final Path file;
  private final FileChannel channel;
  private final @Nullable FileChannel named;
  private final @Nullable Object key; // of a run's file; null on Windows
  private int holders = 1;

  private FolderLock(
      Path file, FileChannel channel, @Nullable FileChannel named, @Nullable Object key) {
    this.file = file;
    this.channel = channel;
    this.named = named;
    this.key = key;
  }

  private static @Nullable Object key(Path file) throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class, NOFOLLOW_LINKS).fileKey();
  }

  /**
   * {@return false if the folder of a run was deleted, moved or replaced since it was locked, or
   * can't be looked up any more}
   */
  public boolean isInPlace() {
    try {
      return Objects.equals(key(file), key);
    } catch (IOException e) {
      LOGGER.debug("{} can't be looked up", file, e);
      return false;
    }
  }

  /**
   * Locks the folder of a run. The whole process holds the lock: a second call in the same process
   * returns the same lock, which is released when each caller has closed it. The file {@code .lock}
   * stays.
   *
   * @param folder the folder, which exists
   * @return the lock
   * @throws IOException if another process holds the lock, or the folder can't be written to
   */
  public static FolderLock ofRun(Path folder) throws IOException {
    synchronized (HELD) {
      Path file = folder.toRealPath().resolve(RUN);
      FolderLock lock = HELD.get(file);
      if (lock != null) {
        lock.holders++;
        return lock;
      }
      checkRegular(file);
      FileChannel channel = FileChannel.open(file, CREATE, WRITE, NOFOLLOW_LINKS);
      try {
        if (!tryLock(channel)) {
          throw new IOException(
              "another run is using the folder "
                  + folder
                  + ": end it first, or name another folder");
        }
        lock = new FolderLock(file, channel, null, key(file));
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
      HELD.put(file, lock);
      return lock;
    }
  }

  /**
   * Locks a folder while a model is saved into it. Waits while another process saves. The file of
   * the lock is deleted with the release.
   *
   * @param folder the folder, which exists
   * @return the lock; one thread of this process at a time may ask for it
   * @throws IOException if the folder can't be written to
   */
  public static FolderLock ofSave(Path folder) throws IOException {
    Path file = folder.toRealPath().resolve(SAVE);
    for (boolean waits = false; ; waits = true) {
      FolderLock lock = Interrupts.defer(() -> trySave(file));
      if (lock != null) {
        return lock;
      }
      if (!waits) {
        LOGGER.info("another process is saving to {}; waiting until it ends", folder);
      }
      try {
        Thread.sleep(PAUSE.toMillis());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException("interrupted while another process saves to " + folder);
      }
    }
  }

  /** Locks the file, or returns null if another process holds it or has just deleted it. */
  private static @Nullable FolderLock trySave(Path file) throws IOException {
    checkRegular(file);
    create(file);
    FileChannel channel;
    try {
      channel = FileChannel.open(file, READ, WRITE, NOFOLLOW_LINKS);
    } catch (NoSuchFileException e) {
      return null;
    }
    FileChannel named = null;
    boolean holds = false;
    try {
      if (!tryLock(channel)) {
        return null;
      }
      named = FileChannel.open(file, READ, NOFOLLOW_LINKS);
      ByteBuffer content = content(named);
      holds = content.hasRemaining() && content.equals(content(channel));
      if (!content.hasRemaining()) {
        Files.deleteIfExists(file); // a process was killed before it wrote the content
      }
      return holds ? new FolderLock(file, channel, named, null) : null;
    } catch (NoSuchFileException e) {
      return null; // the process before deleted the file after this one opened it
    } finally {
      if (!holds) {
        channel.close();
        if (named != null) {
          named.close();
        }
      }
    }
  }

  /**
   * Creates the file of a lock with content of its own, which tells it from a later file of the
   * same name. Does nothing if there is a file: another process saves, or was killed while it
   * saved.
   */
  private static void create(Path file) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(file, CREATE_NEW, WRITE);
    } catch (FileAlreadyExistsException e) {
      return;
    }
    try (channel) {
      channel.write(StandardCharsets.US_ASCII.encode(UUID.randomUUID().toString()));
    } catch (IOException | RuntimeException e) {
      Files.deleteIfExists(file); // nobody holds a file without content
      throw e;
    }
  }

  private static ByteBuffer content(FileChannel channel) throws IOException {
    ByteBuffer content = ByteBuffer.allocate(ID_BYTES);
    int count = 0;
    while (count >= 0 && content.hasRemaining()) {
      count = channel.read(content, content.position());
    }
    return content.flip();
  }

  /** Locks a channel. Returns false if somebody else holds the lock. */
  private static boolean tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock(LOCKED_BYTE, 1, false) != null;
    } catch (OverlappingFileLockException e) {
      return false; // this process holds the lock, by another class loader
    }
  }

  private static void checkRegular(Path file) throws IOException {
    try {
      if (!Files.readAttributes(file, BasicFileAttributes.class, NOFOLLOW_LINKS).isRegularFile()) {
        throw new IOException(
            file + " must be a plain file, but is a link, a folder or a device: delete it");
      }
    } catch (NoSuchFileException e) {
      // there is none yet, or another process has just deleted it
    }
  }

  @Override
  public void close() throws IOException {
    synchronized (HELD) {
      if (--holders > 0) {
        return;
      }
      HELD.remove(file, this);
    }
    try {
      if (named != null) {
        Files.deleteIfExists(file); // before the release: only the holder may delete the file
      }
    } finally {
      channel.close();
      if (named != null) {
        named.close();
      }
    }
  }
}
